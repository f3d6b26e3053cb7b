"""Make the pages that the package itself has the contents of."""

from docs.generate import designs, gallery, reference

if __name__ == "__main__":
    reference.make()
    designs.make()
    gallery.make()
