"""Make the pages that the package itself has the contents of."""

from docs.generate import designs, gallery, house, reference

if __name__ == "__main__":
    reference.make()
    designs.make()
    house.make()
    gallery.make()
