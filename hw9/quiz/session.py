"""One part of the quiz as it runs: its facts, the questions of this student, the answers; what is said about them."""

import difflib
import json
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hw9.quiz import answers, asked, facts, handin
from hw9.quiz.asked import Asked
from hw9.quiz.bank import Bank, Text
from hw9.quiz.facts import Facts
from hw9.quiz.handin import HandIn
from hw9.quiz.incoming import collect
from hw9.quiz.keys import Answer
from hw9.quiz.received import receive
from hw9.quiz.written import both

# Held by whatever a reader does: JupyterLab hands what widgets say to other threads of the kernel than the cells'.
ONE_AT_A_TIME = threading.RLock()


class Session:
    """The quiz of one part. What happens is kept at once in `folder`, as far as it can be written.

    Methods return what to say, a line or several; they raise ValueError with one line for a mistake of the reader.
    """

    def __init__(self, found: Facts, bank: Bank, *, student: str = "", folder: Path) -> None:
        self.facts, self.bank, self.student, self.folder = found, bank, student, folder
        self.kept = answers.Kept()
        self.writes = True  # whether what was to be kept last is in a file
        self._unsaved: dict[str, tuple[Answer | None, str]] = {}  # answers, with their stamps, that are in no file yet
        self._complained = False

    def restore(self, before: "Session | None" = None) -> str:
        """Take up facts and answers of the session before this one, or else of an earlier run, from their files.

        Returns a line about what was there.
        """
        goes_on = before is not None and before.facts.part == self.facts.part
        if goes_on and before.facts.data == self.facts.data and before.facts.weights == self.facts.weights:
            self.facts = before.facts
        else:  # another run, perhaps one that has been there: its file must not be written over
            try:
                found = facts.load(facts.path_of(self.facts, self.folder / "facts"))
                self.facts = found if found.weights == self.facts.weights else self.facts
            except (OSError, ValueError):
                pass  # none yet, or none that can be read: the cells that run write them
        if goes_on and (before.student == self.student or not self._answers.exists()):
            self._unsaved = before._unsaved
            return self._take_over(before.kept)
        try:
            self.kept = answers.load(self._answers)
            if not self._answers.exists():  # given before there was a number, perhaps by another student
                self.kept = replace(answers.load(self._nobodys), nonce=answers.Kept().nonce)
        except (OSError, ValueError) as error:
            return f"The quiz begins without earlier answers: {error}."
        line = self._take_over(self.kept)
        given = sum(question.id in self.kept.answers for question in self.bank.of(self.facts.part))
        return line or (f"Answers kept from before: {given} ({self._answers.name})." if given else "")

    def _take_over(self, kept: answers.Kept) -> str:
        """Go on with answers that may have been given under another number or none: those become this student's alone.

        Returns a line where they cannot be written."""
        self.kept = kept
        if not kept.answers or self._answers.exists():
            return ""
        line = self._save()
        if self.student and self._answers.exists():
            self._nobodys.unlink(missing_ok=True)
        return line

    @property
    def _nobodys(self) -> Path:
        return self.folder / f"answers-{self.facts.part}.json"

    @property
    def _answers(self) -> Path:
        """A student's own: in a computer room the next one sits at the same machine."""
        own = re.sub(r"[^\w.-]+", "-", self.student.casefold())
        return self.folder / f"answers-{self.facts.part}-{own}.json" if own else self._nobodys

    def record(self, name: str, values: dict[str, Any]) -> str:
        """Keep the values that a figure shows; returns a line where one cannot be kept."""
        wrong, found = [], {}
        for key, value in values.items():
            try:
                found[str(key)] = facts.plain(value)
            except TypeError as error:
                wrong.append(f"{name}.{key} is not kept for the quiz: {error}.")
        self.facts.values[name] = found
        wrong.append(self._try(lambda: facts.save(self.facts, self.folder / "facts")))
        return "\n".join(filter(None, wrong))

    def _try(self, save: Callable[[], Any]) -> str:
        """Write a file; the first time that fails, a line says so."""
        try:
            save()
            self.writes = True
        except OSError as error:
            self.writes = False
            if not self._complained:
                self._complained = True
                return f"The quiz goes on but keeps no files: {error.strerror or error}, {self.folder}."
        return ""

    def ask(self, name: str) -> Asked:
        """The question of that name, for this student on this run."""
        names = [question.id for question in self.bank.of(self.facts.part)]
        if name not in names:
            raise ValueError(f"There is no question {_short(name)} here{_nearest(name, names)}.")
        return asked.ask(self.bank[name], self.facts, salt=self.bank.salt, student=self.student)

    def section(self, name: str) -> list[Asked]:
        """The questions of a section, or ("") of the whole part."""
        sections = list(dict.fromkeys(question.section for question in self.bank.of(self.facts.part)))
        if name not in ("", *sections):
            raise ValueError(f"There is no section {_short(name)} here; there are: {', '.join(sections)}.")
        return [self.ask(question.id) for question in self.bank.of(self.facts.part, name)]

    def answer(self, question: Asked, given: Any) -> str:
        """Keep an answer, or forget one (an empty one); returns a line where that fails."""
        name, found = question.question.id, asked.parse(question, given)
        return self._keep(name, found, answers.stamp(question, self.facts))

    def _keep(self, name: str, given: Answer | None, stamp: str) -> str:
        self.kept.put(name, given, stamp)
        self._unsaved[name] = given, stamp
        return self._save()

    def _save(self) -> str:
        """Write what is not in the file yet into what is: another kernel of this part (a second copy of the notebook)
        may have kept answers meanwhile, and a file that could not be read at first must not be written over."""

        def save() -> None:
            try:
                there = answers.load(self._answers)
            except ValueError:  # damaged: it is set aside now
                there = self.kept
            there = there if there.answers else self.kept
            for name, (given, stamp) in self._unsaved.items():
                there.put(name, given, stamp)
            answers.save(there, self._answers)
            self.kept, self._unsaved = there, {}

        return self._try(save)

    def check(self, question: Asked) -> Text:
        """Whether the answer fits the figure, or where to look again; never which option is right.

        A bank may switch that off; the answer counts as looked at again all the same.
        """
        name = question.question.id
        if question.missing:
            return unseen([question])
        if question.key is None:
            return Text(f"It is not asked on this run ({question.reason}).", "這次不問。")
        if name not in self.kept.answers:
            return Text("Not yet answered.", "尚未作答。")
        if self.changed([question]):  # looked at again
            self._keep(name, self.kept.answers[name], answers.stamp(question, self.facts))
        if not self.bank.check:
            return Text("Your teacher has switched checking off.", "老師關閉了檢查功能。")
        if question.fits(self.kept.answers[name]):
            return Text("✓ It fits your figure.", "符合你的圖。")
        place = where(question)
        return Text(f"Look again at {place.english}", f"再看一次：{place.chinese}")

    def changed(self, questions: Sequence[Asked]) -> list[str]:
        """The names of those questions whose answer was given to another run, or to another variant."""
        given = [one for one in questions if one.question.id in self.kept.answers and not one.missing]
        return [
            one.question.id for one in given if self.kept.stamps.get(one.question.id) != answers.stamp(one, self.facts)
        ]

    def notes(self, questions: Sequence[Asked]) -> list[str]:
        """A line about questions that come later, and one about answers to another run."""
        missing = [one for one in questions if one.missing]
        lines = [f"{_listed([one.question.id for one in missing])}: {both(unseen(missing))}"] if missing else []
        if names := self.changed(questions):
            lines.append(
                f"Your run has changed since you answered {_listed(names)}: the answers are kept, look again. "
                "執行結果變了，答案仍保留，請再看一次。"
            )
        return lines

    def hand_in(self, name: Any, number: Any) -> tuple[Path, HandIn]:
        """Write the hand-in file and read it back, as it will be read for grading; raises OSError too."""
        try:
            name, number = handin.who(name, number)
        except ValueError as error:
            raise ValueError(f"Nothing is handed in yet: {error}. 尚未繳交。") from None
        if self.kept.answers or self._answers.exists():
            self._save()
        found = self.facts
        given = {q.id: self.kept.answers[q.id] for q in self.bank.of(found.part) if q.id in self.kept.answers}
        written = HandIn(
            name=name,
            number=number,
            part=found.part,
            salt=self.bank.salt,
            student=self.student,
            answers=given,
            stamps={name: self.kept.stamps.get(name, "") for name in given},
            facts=found,
            digest=facts.digest(found),
            hashes={"data": found.data, "weights": found.weights, "package": handin.package_hash()},
            versions=handin.versions(),
            time=datetime.now(UTC).isoformat(timespec="seconds"),
            nonce=self.kept.nonce,
        )
        path = handin.write(written, self.folder)
        read = collect(path)
        if read.problems:
            raise OSError(f"{path} cannot be graded: {read.problems[0][1]}")
        back = receive(read.found[0])
        if back.notes or back.handin.answers != json.loads(json.dumps(written.answers)):
            raise OSError(f"{path} does not hold what was written into it")
        return path, written

    def summary(self, written: HandIn) -> list[tuple[str, str, str]]:
        """What will be graded: for each question its name, the answer as shown, and what stands in its way."""
        rows = []
        for one in self.section(""):
            given = written.answers.get(one.question.id)
            state = "" if given is not None else "not answered 未作答"
            if given is not None and self.changed([one]):
                state = "answered before your run or number changed: look again 請再看一次"
            if one.missing:
                state = "its figure was not drawn: run that part of the notebook 圖尚未產生"
            elif one.key is None:
                state = "not asked on this run 這次不問"
            rows.append((one.question.id, "" if given is None else one.shown(given), state))
        return rows


def where(question: Asked) -> Text:
    """Where to look for a question: the figure, and the hint."""
    figures = _listed(question.question.figures) if question.question.figures else "the text"
    return Text(f"{figures}: {question.hint.english}", question.hint.chinese)


def unseen(questions: Sequence[Asked]) -> Text:
    """What to run before these questions can be asked."""
    figures = list(dict.fromkeys(figure for one in questions for figure in one.question.figures or one.missing))
    drawn = f"First run the cells that draw {_listed(figures)}, then this one again."
    return Text(drawn, "請先執行產生這些圖的儲存格。")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + (" and " if len(names) > 1 else "") + names[-1]


def _short(name: Any) -> str:
    return repr(name if isinstance(name, str) else str(name))[:40]


def _nearest(name: Any, names: Sequence[str]) -> str:
    found = difflib.get_close_matches(str(name).lower(), names, 1)
    return f"; did you mean {found[0]}?" if found else f"; there are {names[0]} to {names[-1]}" if names else ""
