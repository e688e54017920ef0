import errno
from pathlib import Path

import pytest

from mozi_engine import files
from mozi_engine.errors import DataError


def test_a_file_appears_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    with files.atomic(path) as file:
        file.write(b"half")
        assert not path.exists()
    assert path.read_bytes() == b"half"


def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def interrupted() -> None:
        with files.atomic(path) as file:
            file.write(b"new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with pytest.raises(DataError, match="no space left") as caught, files.atomic(path):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert "free some disk space" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_a_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(DataError, match="cannot write"), files.atomic(tmp_path / "taken" / "file"):
        pass


def test_everything_lies_under_mozi_home(home: Path) -> None:
    folders = {files.config_dir(), files.cache_dir(), files.data_dir()}
    assert len(folders) == 3
    assert {folder.parent for folder in folders} == {home}


def test_a_tilde_is_home_only_where_it_names_one() -> None:
    assert files.expanded("~/a.pdf") == Path.home() / "a.pdf"
    assert files.expanded("~draft of nobody.pdf") == Path("~draft of nobody.pdf")
