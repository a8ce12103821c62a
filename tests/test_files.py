import threading

import pytest

from hw9.files import replacing


def test_replacing_leaves_the_old_file_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "a"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as part:
        part.write_text("ha")
        raise RuntimeError
    assert [one.read_text() for one in tmp_path.iterdir()] == ["old"]
    with replacing(path) as part:
        part.write_text("new")
        assert path.read_text() == "old"
    assert [one.read_text() for one in tmp_path.iterdir()] == ["new"]


def test_two_threads_that_write_one_file_do_not_take_each_others_part(tmp_path):
    path = tmp_path / "a"

    def other():
        with replacing(path) as part:
            part.write_text("other")

    with replacing(path) as part:
        part.write_text("own")
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        assert path.read_text() == "other"
    assert [one.read_text() for one in tmp_path.iterdir()] == ["own"]
