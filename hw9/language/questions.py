"""Three short texts with a question each, written for this project: in traditional and simplified Chinese and English.

The languages tell the same three stories. In "pianist" the answer occurs twice in the context and only its first
occurrence answers the question, which is why roles go by position and never by string match.
"""

from dataclasses import dataclass

LANGUAGES = ("zh-Hant", "zh-Hans", "en")


@dataclass(frozen=True)
class Question:
    """A question whose answer is `context[start:end]`; raises ValueError where `start` does not point at `answer`."""

    name: str
    language: str  # one of LANGUAGES
    question: str
    context: str
    answer: str
    start: int  # characters of the context before the answer

    def __post_init__(self):
        if self.language not in LANGUAGES:
            raise ValueError(f"{self.name}: the language must be one of {', '.join(LANGUAGES)}, not {self.language!r}")
        if not self.answer or self.start < 0:
            raise ValueError(f"{self.name}: give an answer and where it starts, counted from 0")
        if (found := self.context[self.start : self.end]) != self.answer:
            raise ValueError(f"{self.name}: context[{self.start}:{self.end}] is {found!r}, not {self.answer!r}")

    @property
    def end(self) -> int:
        return self.start + len(self.answer)


def questions(language: str) -> list[Question]:
    """The three questions in "zh-Hant", "zh-Hans" or "en"."""
    if language not in LANGUAGES:
        raise ValueError(f"there are questions in {', '.join(LANGUAGES)}, not in {language!r}")
    return [question for question in QUESTIONS if question.language == language]


QUESTIONS = (
    Question(
        name="soup",
        language="zh-Hant",
        question="店家在幾點把牛肉切成薄片？",
        context="台南的早晨從一碗牛肉湯開始。店家在清晨四點把新鮮的牛肉切成薄片，放進碗裡，再沖入滾燙的高湯，肉片很快變成"
        "粉紅色。許多客人喜歡配一碗白飯，也有人把牛肉沾上薑絲和醬油。不到早上九點，湯就賣完了。",
        answer="清晨四點",
        start=17,
    ),
    Question(
        name="battery",
        language="zh-Hant",
        question="公司先把新電池裝在哪裡測試？",
        context="2018年，一家小公司的工程師發明了一種新電池。這種電池用鹽和鐵做成，比鋰電池便宜，也不容易起火。公司先把"
        "電池裝在路燈裡，測試了三年，後來才賣給生產電動巴士的工廠。現在，這座城市有兩百輛巴士使用這種電池。",
        answer="路燈",
        start=57,
    ),
    Question(
        name="pianist",
        language="zh-Hant",
        question="陳美玲二十歲的時候去哪裡讀音樂？",
        context="陳美玲出生在花蓮的一個漁村，父親是漁夫，母親賣早餐。她十二歲開始學鋼琴，二十歲去維也納讀音樂。回到家鄉以後，"
        "她開了一間音樂教室，免費教村裡的孩子彈鋼琴。2020年，她的一個學生在維也納的鋼琴比賽得到第一名。",
        answer="維也納",
        start=40,
    ),
    Question(
        name="soup",
        language="zh-Hans",
        question="店家在几点把牛肉切成薄片？",
        context="台南的早晨从一碗牛肉汤开始。店家在清晨四点把新鲜的牛肉切成薄片，放进碗里，再冲入滚烫的高汤，肉片很快变成"
        "粉红色。许多客人喜欢配一碗白饭，也有人把牛肉沾上姜丝和酱油。不到早上九点，汤就卖完了。",
        answer="清晨四点",
        start=17,
    ),
    Question(
        name="battery",
        language="zh-Hans",
        question="公司先把新电池装在哪里测试？",
        context="2018年，一家小公司的工程师发明了一种新电池。这种电池用盐和铁做成，比锂电池便宜，也不容易起火。公司先把"
        "电池装在路灯里，测试了三年，后来才卖给生产电动巴士的工厂。现在，这座城市有两百辆巴士使用这种电池。",
        answer="路灯",
        start=57,
    ),
    Question(
        name="pianist",
        language="zh-Hans",
        question="陈美玲二十岁的时候去哪里读音乐？",
        context="陈美玲出生在花莲的一个渔村，父亲是渔夫，母亲卖早餐。她十二岁开始学钢琴，二十岁去维也纳读音乐。回到家乡以后，"
        "她开了一间音乐教室，免费教村里的孩子弹钢琴。2020年，她的一个学生在维也纳的钢琴比赛得到第一名。",
        answer="维也纳",
        start=40,
    ),
    Question(
        name="soup",
        language="en",
        question="When does the cook cut the beef into thin slices?",
        context="In Tainan the morning begins with a bowl of beef soup. At four in the morning the cook cuts fresh "
        "beef into thin slices and puts them in a bowl. Then hot broth is poured over the beef, and the "
        "slices soon turn pink. Many guests like a bowl of rice with the soup; some dip the beef in soy "
        "sauce and ginger. By nine the soup is sold out.",
        answer="four in the morning",
        start=58,
    ),
    Question(
        name="battery",
        language="en",
        question="Where did the company first test the new battery?",
        context="In 2018 the engineers of a small company invented a new battery. It is made of salt and iron, costs "
        "less than a lithium battery and does not catch fire easily. The company first tested the battery in street "
        "lamps for three years. Only then did it sell the battery to a factory that builds electric buses. Today two "
        "hundred buses in the city run on it.",
        answer="street lamps",
        start=200,
    ),
    Question(
        name="pianist",
        language="en",
        question="Where did Chen Meiling go to study music when she was twenty?",
        context="Chen Meiling was born in a fishing village near Hualien. Her father was a fisherman and her mother "
        "sold breakfast. She began to learn the piano at twelve, and at twenty she went to Vienna to study music. Back "
        "home she opened a music school and taught the children of the village to play the piano for free. In 2020 one "
        "of her students won a piano competition in Vienna.",
        answer="Vienna",
        start=181,
    ),
)
