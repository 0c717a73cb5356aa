from jaxgen.formats.file_tree import files_below


def touch(path):
  path.parent.mkdir(parents=True, exist_ok=True)
  path.touch()


def names(root):
  found = files_below(root, (".png",))
  return [path.relative_to(root).as_posix() for path in found]


def test_hidden_and_other_files_are_passed_over(tmp_path):
  for name in ("a.PNG", "b/c.png", "._a.png", ".h/a.png", "b/.c.png", "d.txt"):
    touch(tmp_path / name)
  assert names(tmp_path) == ["a.PNG", "b/c.png"]


def test_links_are_followed_and_loops_end(tmp_path):
  root, other = tmp_path / "root", tmp_path / "other"
  touch(other / "inner" / "a.png")
  touch(root / "b.png")
  (root / "linked").symlink_to(other)
  (root / "c.png").symlink_to(root / "b.png")
  (other / "back").symlink_to(root)
  (other / "self").symlink_to(other)
  (root / "broken.png").symlink_to(root / "nowhere")
  assert names(root) == ["b.png", "c.png", "linked/inner/a.png"]
