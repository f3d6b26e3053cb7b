"""A file is written whole or not at all, and bytes that were not written are not read."""

import errno
import json
import os
import subprocess
import sys
import time
import warnings

import h5py
import numpy as np
import pytest

import bambi_anova as ba
from bambi_anova.errors import StorageError
from bambi_anova.storage.file import _unsealed, read_file, seal, write_file
from bambi_anova.storage.saving import GROUP

pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.ConvergenceWarning")


@pytest.fixture(scope="module")
def result():
    oats = ba.load_data("oats")
    model = ba.Model("yield ~ variety * nitrogen + Error(block/variety)", oats)
    with warnings.catch_warnings(action="ignore"):
        return model.fit("laplace", draws=100, chains=2, random_seed=1, progressbar=False)


@pytest.fixture(scope="module")
def whole(result, tmp_path_factory):
    return result.save(tmp_path_factory.mktemp("whole") / "fit.nc").read_bytes()


@pytest.fixture
def saved(whole, tmp_path):
    path = tmp_path / "fit.nc"
    path.write_bytes(whole)
    return path


def files(path):
    return sorted(own.name for own in path.parent.iterdir())


# Writing


@pytest.mark.parametrize("step", ["open", "fsync", "replace"])
def test_a_failed_write_leaves_the_old_file(result, saved, whole, monkeypatch, step):
    def fail(*args, **kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(StorageError, match=r"No space left on device.*nothing was changed"):
        result.save(saved)
    monkeypatch.undo()
    assert saved.read_bytes() == whole
    assert files(saved) == ["fit.nc"]


def test_an_interrupted_write_leaves_the_old_file(result, saved, whole, monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        result.save(saved)
    assert saved.read_bytes() == whole
    assert files(saved) == ["fit.nc"]


LIMITED = """
import resource, sys
import bambi_anova as ba
result = ba.load(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    result.save(sys.argv[2])
except ba.errors.StorageError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no such limits")
@pytest.mark.parametrize("name", ["fit.nc", "new.nc"])
def test_a_limit_of_sizes_is_said(saved, whole, name):
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(saved), str(saved.parent / name)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "cannot be written (File too large)" in done.stdout, done.stderr
    assert saved.read_bytes() == whole
    assert files(saved) == ["fit.nc"]


def test_a_full_disk_is_said(result, whole, tmp_path):
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=100k", "none", str(tmp_path)], capture_output=True
    )
    if mount.returncode:
        pytest.skip("only the superuser can mount a small disk")
    try:
        with pytest.raises(StorageError, match=r"cannot be written \(No space left on device\)"):
            result.save(tmp_path / "fit.nc")
        assert list(tmp_path.iterdir()) == []
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_links_are_not_followed(result, tmp_path):
    target, link = tmp_path / "precious", tmp_path / "fit.nc"
    target.write_text("mine")
    for goal in (target, tmp_path / "nothing"):
        link.symlink_to(goal)
        with pytest.raises(StorageError, match=r"symbolic link.*name the file itself"):
            result.save(link)
        link.unlink()
    assert target.read_text() == "mine"
    assert files(target) == ["precious"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes")
def test_pipes_and_devices_are_left_alone(result, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StorageError, match="a device or a pipe"):
        result.save(tmp_path / "pipe")
    with pytest.raises(StorageError, match="there is no such file"):
        ba.load(tmp_path / "pipe")
    assert files(tmp_path / "pipe") == ["pipe"]


@pytest.mark.parametrize("name", ["a\0b", "x" * 300, "\ud800"])
def test_names_that_no_file_can_have(result, tmp_path, name):
    for act in (result.save, ba.load):
        with pytest.raises(StorageError):
            act(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_private_file_stays_private(result, saved):
    saved.chmod(0o600)
    result.save(saved)
    assert saved.stat().st_mode & 0o777 == 0o600


# Reading


def test_every_changed_byte_is_noticed_before_hdf5_sees_it(whole, tmp_path, monkeypatch):
    """Some hundred changes of bytes, cuts and pieces out of place: each is refused at once."""
    import xarray as xr

    monkeypatch.setattr(xr, "open_datatree", lambda *args, **kwargs: pytest.fail("it was parsed"))
    rng, path = np.random.default_rng(1), tmp_path / "fit.nc"
    size = len(whole)
    broken = []
    for where in [*rng.integers(0, size, 200), *range(size - 60, size), *range(8)]:
        other = bytearray(whole)
        other[where] ^= 1 << int(rng.integers(8))
        broken.append(other)
    broken += [whole[:cut] for cut in [*rng.integers(0, size, 100), *range(60), size - 1]]
    broken += [whole + b"\0", whole + whole, whole[8:], whole[:500] + whole[600:]]
    started = time.perf_counter()
    for data in broken:
        path.write_bytes(data)
        with pytest.raises(StorageError):
            ba.load(path)
    assert time.perf_counter() - started < 60


def resealed(saved, change):
    """Change the record and give the file a seal that fits, as a forger would."""
    tree = read_file(saved)
    record = json.loads(tree[GROUP].attrs["record"])
    change(record)
    tree[GROUP].attrs["record"] = json.dumps(record)
    write_file(saved, tree)


def fields(record, path=()):
    """Every place in a record, but what is only for people."""
    items = enumerate(record) if isinstance(record, list) else record.items()
    for key, value in items:
        if key != "versions":
            yield (*path, key)
            if isinstance(value, (dict, list)) and value:
                yield from fields(value, (*path, key))


ODD = [None, -1, 1.5, "", "x", [], ["x"], {}, {"x": 1}, True, float("nan")]
FUZZ = """
import sys, warnings
import bambi_anova as ba
for path in sys.argv[1:]:
    try:
        ba.load(path).means()
        print("loaded")
    except ba.errors.StorageError:
        print("refused")
"""


def test_forged_records_are_refused_or_harmless(saved, tmp_path):
    """Each field left out and replaced: a StorageError or a fit, never another error or a wait."""
    record = json.loads(read_file(saved)[GROUP].attrs["record"])
    rng, paths = np.random.default_rng(1), []
    for place in fields(record):
        for value in ["gone", rng.integers(len(ODD))]:

            def change(record, place=place, value=value):
                *above, last = place
                for key in above:
                    record = record[key]
                if value == "gone":
                    del record[last]
                else:
                    record[last] = ODD[value]

            paths.append(tmp_path / f"{len(paths)}.nc")
            paths[-1].write_bytes(saved.read_bytes())
            resealed(paths[-1], change)
    done = subprocess.run(
        [sys.executable, "-c", FUZZ, *map(str, paths)], capture_output=True, text=True, timeout=300
    )
    words = done.stdout.split()
    assert len(words) == len(paths) > 60, done.stderr
    assert words.count("refused") > 0.8 * len(words)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000, '{"formula": "y ~ a"}'])
def test_records_that_are_none(saved, text):
    tree = read_file(saved)
    tree[GROUP].attrs["record"] = text
    write_file(saved, tree)
    with pytest.raises(StorageError):
        ba.load(saved)


@pytest.mark.parametrize("group", ["posterior", "cells", "sample_stats", GROUP])
def test_groups_that_are_missing(saved, group):
    tree = read_file(saved)
    del tree[group]
    write_file(saved, tree)
    with pytest.raises(StorageError, match="no fit can be made of it"):
        ba.load(saved)


def test_draws_of_another_model(saved):
    tree = read_file(saved)
    tree["posterior"] = tree["posterior"].to_dataset().isel(variety__factor_dim=slice(1, None))
    write_file(saved, tree)
    with pytest.raises(StorageError):
        ba.load(saved)


def test_formulas_of_a_file_may_say_no_more_than_others(saved, tmp_path):
    """What a formula cannot evaluate, a file cannot either."""
    told = tmp_path / "told"
    for formula in (
        f"yield ~ open({str(told)!r}, 'w').write('x') + variety",
        f"yield ~ np.zeros(72).tofile({str(told)!r}) + variety",
        "yield ~ __import__('os').getcwd() + variety",
        "yield ~ variety.__class__ + variety",
    ):
        resealed(saved, lambda record, formula=formula: record.update(formula=formula))
        with pytest.raises(StorageError):
            ba.load(saved)
    assert not told.exists()


def test_bytes_that_are_sealed_but_no_netcdf(tmp_path):
    path = tmp_path / "fit.nc"
    path.write_bytes(seal(b"\x89HDF\r\n\x1a\n" + bytes(3000)))
    with pytest.raises(StorageError, match="it is no NetCDF"):
        ba.load(path)


def test_other_programs_see_plain_hdf5(saved):
    with h5py.File(saved) as file:
        assert {"posterior", "cells", GROUP} <= set(file)
    assert _unsealed(saved, saved.read_bytes())[:4] == b"\x89HDF"
