"""Labels: what reading adds to a run, and which URLs it has seen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from states import goal

from autoagent.goal import Goal, RunCriterion, SubTask
from autoagent.taint import labels_of_paths, labels_of_tree, urls_in, urls_of_goal
from autoagent.testing.objects import MemoryObjects
from autoagent.trees import EMPTY, Tree, WorkingCopy


def tree(*paths: str) -> Tree:
    copy = WorkingCopy(EMPTY, MemoryObjects())
    for path in paths:
        copy.write(path, b"")
    return copy.tree()


class TestPaths:
    """What reading files adds."""

    @pytest.mark.parametrize(
        ("paths", "labels"),
        [
            ((), ()),
            (("a.txt",), ("outside",)),
            (("mine/a.txt",), ()),
            (("mine/a.txt", "b.txt"), ("outside",)),
            (("notes/a.txt",), ("outside", "private")),
            (("mine/notes/a.txt",), ("private",)),
        ],
    )
    def test_files_are_outside_text_unless_they_are_yours(
        self, paths: tuple[str, ...], labels: tuple[str, ...]
    ) -> None:
        """Private is what the goal marks, whoever wrote it."""
        marked = goal(yours=("mine/",), private=("notes/", "mine/notes/"))

        assert labels_of_paths(marked, paths) == labels

    def test_code_reads_every_file_that_it_can_open(self) -> None:
        """A tree counts as all its files, or as those within the roots."""
        marked = goal(yours=("mine/",), private=("notes/",))
        files = tree("mine/a", "notes/b")

        assert labels_of_tree(marked, files) == ("outside", "private")
        assert labels_of_tree(marked, files, ["mine"]) == ()
        assert labels_of_tree(marked, files, ["mine", "."]) == ("outside", "private")
        assert labels_of_tree(goal(), files) == ("outside",)

    def test_an_empty_workspace_says_nothing(self) -> None:
        """Folders alone are no text."""
        copy = WorkingCopy(EMPTY, MemoryObjects())
        copy.write("a/b", b"")
        copy.delete("a/b")

        assert labels_of_tree(goal(), EMPTY) == ()
        assert labels_of_tree(goal(), copy.tree()) == ()


class TestUrls:
    """URLs that stand in a text."""

    @pytest.mark.parametrize(
        ("text", "url"),
        [
            ("See https://example.org/a.", "https://example.org/a"),
            ("(https://example.org/a)", "https://example.org/a"),
            ("[x](https://example.org/a_(b))", "https://example.org/a_(b)"),
            ("**https://example.org/a**", "https://example.org/a"),
            ('<a href="https://example.org/a?b=c&d">', "https://example.org/a?b=c&d"),
            ("{'url': 'http://example.org:81/'}", "http://example.org:81/"),
            ("https://example.org/a#part", "https://example.org/a"),
            ("HTTPS://example.org/A", "HTTPS://example.org/A"),
            ("https://de.wikipedia.org/wiki/Köln, schön", "https://de.wikipedia.org/wiki/Köln"),
        ],
    )
    def test_url_is_found_as_it_stands(self, text: str, url: str) -> None:
        """Without what belongs to the sentence around it."""
        assert urls_in(text) == (url,)

    def test_each_is_found_once_and_not_without_end(self) -> None:
        """A page of links can't fill the journal."""
        assert urls_in("http://a.org http://b.org http://a.org") == ("http://a.org", "http://b.org")
        assert len(urls_in(" ".join(f"http://a.org/{n}" for n in range(2000)))) == 500

    @given(st.text("htps:/a.()#,* \n", max_size=60))
    def test_what_is_found_stands_in_the_text(self, text: str) -> None:
        """Verbatim, whatever the text."""
        for url in urls_in(text + " http://a.org/" + text):
            assert url in text + " http://a.org/" + text

    def test_the_person_s_urls_are_in_all_texts_of_the_goal(self) -> None:
        """In the goal, its criteria, and the sub-tasks that it fixes."""
        said = Goal(
            goal="Read http://a.org/1.",
            done_when=(RunCriterion(run="curl http://a.org/2"),),
            plan=(SubTask(id="1", title="Read http://a.org/3", instructions="and http://a.org/4"),),
        )

        assert urls_of_goal(said) == {f"http://a.org/{n}" for n in (1, 2, 3, 4)}
