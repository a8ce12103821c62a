"""The texts that the BERT lesson reads, all written for it: two senses of one word, gaps to fill, pronouns.

The Chinese sets come in traditional and in simplified characters, sentence for sentence.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Senses:
    """Sentences that each hold `word` once, and the sense it has in each; the sentences of a sense stand together."""

    word: str
    texts: tuple[str, ...]
    senses: tuple[str, ...]

    def __add__(self, other: "Senses") -> "Senses":
        """Both sets of one word as one, sense by sense."""
        if other.word != self.word:
            raise ValueError(
                f"these are sets of two words, {self.word} and {other.word}: put together sets of one word"
            )
        texts, senses = self.texts + other.texts, self.senses + other.senses
        order = sorted(range(len(texts)), key=lambda k: senses.index(senses[k]))
        return Senses(self.word, tuple(texts[k] for k in order), tuple(senses[k] for k in order))


@dataclass(frozen=True)
class Gap:
    """`word` is to be masked and guessed; `also` is the other word that helps to guess it."""

    text: str
    word: str
    also: str


@dataclass(frozen=True)
class Pronoun:
    """`pronoun` stands for `candidates[answer]`; both candidates come before it in the text."""

    text: str
    pronoun: str
    candidates: tuple[str, str]
    answer: int


def _two(word: str, **senses: Sequence[str]) -> Senses:
    texts = tuple(text for group in senses.values() for text in group)
    return Senses(word, texts, tuple(name for name, group in senses.items() for _ in group))


def _pairs(*frames: tuple[str, str, str, str, str]) -> tuple[Pronoun, ...]:
    """Two items from each (frame, first, its pronoun, second, its pronoun): the same words but for the pronoun.

    So whoever always takes the first candidate, or always the nearest, is right in exactly half of the items.
    """
    items = []
    for frame, first, its, second, other in frames:
        for answer, pronoun in enumerate((its, other)):
            items.append(Pronoun(frame.format(first, second, pronoun), pronoun, (first, second), answer))
    return tuple(items)


# 蘋果 stands at another place in each sentence but in the first of either sense, which both begin with it: there the
# embedding layer, which knows no more than token, position and segment, cannot tell fruit from company. The places of
# the two senses alternate, because near places are alike, and layer 0 would seem to know senses that it does not.
SAME_POSITION = (0, 5)
APPLE_TRADITIONAL = _two(
    "蘋果",
    fruit=(
        "蘋果富含維生素，飯後吃一顆對身體很好。",
        "奶奶把蘋果削好皮，切成小塊給孫子吃。",
        "今天早上我在市場買了三斤蘋果和一串香蕉。",
        "這種蘋果又脆又甜，咬一口滿嘴都是汁。",
        "秋天到了，樹上的蘋果都紅了，可以採收了。",
    ),
    company=(
        "蘋果發布了新款手機，售價比去年更高。",
        "投資人看好蘋果的股價，認為還會再漲。",
        "他的新電腦是蘋果的，系統用起來很順手。",
        "經過三年訴訟，法院裁定蘋果侵犯了對手的專利。",
        "南部這家工廠專門替蘋果組裝手機，員工超過一萬人。",
    ),
)
APPLE_SIMPLIFIED = _two(
    "苹果",
    fruit=(
        "苹果富含维生素，饭后吃一颗对身体很好。",
        "奶奶把苹果削好皮，切成小块给孙子吃。",
        "今天早上我在市场买了三斤苹果和一串香蕉。",
        "这种苹果又脆又甜，咬一口满嘴都是汁。",
        "秋天到了，树上的苹果都红了，可以采收了。",
    ),
    company=(
        "苹果发布了新款手机，售价比去年更高。",
        "投资人看好苹果的股价，认为还会再涨。",
        "他的新电脑是苹果的，系统用起来很顺手。",
        "经过三年诉讼，法院裁定苹果侵犯了对手的专利。",
        "南部这家工厂专门替苹果组装手机，员工超过一万人。",
    ),
)

# Twenty more, written before any model was tried on them: they check what the ten seem to show.
NEW_APPLE_TRADITIONAL = _two(
    "蘋果",
    fruit=(
        "媽媽用蘋果和紅蘿蔔熬了一鍋湯。",
        "飯後來一盤切好的蘋果，解膩又爽口。",
        "山上的蘋果今年大豐收，農夫忙著採摘。",
        "他口渴了，拿起蘋果大口咬了下去。",
        "超市裡的蘋果正在打折，一公斤只要三十元。",
        "把蘋果洗乾淨，連皮一起吃更有營養。",
        "這顆蘋果被蟲咬了一個洞，裡面已經爛了。",
        "醫生說每天吃一個蘋果可以幫助消化。",
        "妹妹不愛吃梨子，只愛吃蘋果。",
        "烤箱裡的蘋果派散發出肉桂的香味。",
    ),
    company=(
        "蘋果的總裁在發布會上介紹了最新的手機。",
        "分析師預估蘋果今年的手機銷量會下滑。",
        "三星和蘋果是手機市場上最大的對手。",
        "我把手機送到蘋果的直營店換電池。",
        "歐盟認為蘋果壟斷市場，開出了鉅額罰單。",
        "那位工程師離開了蘋果，自己創業開公司。",
        "開發者抱怨蘋果的審核太嚴格，遊戲遲遲不能上架。",
        "昨天蘋果的股票大漲，市值創下新高。",
        "他在蘋果上班，負責設計新的手機系統。",
        "這款平板電腦是蘋果去年推出的。",
    ),
)
NEW_APPLE_SIMPLIFIED = _two(
    "苹果",
    fruit=(
        "妈妈用苹果和红萝卜熬了一锅汤。",
        "饭后来一盘切好的苹果，解腻又爽口。",
        "山上的苹果今年大丰收，农夫忙着采摘。",
        "他口渴了，拿起苹果大口咬了下去。",
        "超市里的苹果正在打折，一公斤只要三十元。",
        "把苹果洗干净，连皮一起吃更有营养。",
        "这颗苹果被虫咬了一个洞，里面已经烂了。",
        "医生说每天吃一个苹果可以帮助消化。",
        "妹妹不爱吃梨子，只爱吃苹果。",
        "烤箱里的苹果派散发出肉桂的香味。",
    ),
    company=(
        "苹果的总裁在发布会上介绍了最新的手机。",
        "分析师预估苹果今年的手机销量会下滑。",
        "三星和苹果是手机市场上最大的对手。",
        "我把手机送到苹果的直营店换电池。",
        "欧盟认为苹果垄断市场，开出了巨额罚单。",
        "那位工程师离开了苹果，自己创业开公司。",
        "开发者抱怨苹果的审核太严格，游戏迟迟不能上架。",
        "昨天苹果的股票大涨，市值创下新高。",
        "他在苹果上班，负责设计新的手机系统。",
        "这款平板电脑是苹果去年推出的。",
    ),
)

# In a model that keeps capitals, "Apple" and "apple" are two tokens, and the spelling alone tells the sense.
APPLE_ENGLISH = _two(
    "apple",
    fruit=(
        "She peeled the apple and cut it into small pieces.",
        "An apple a day keeps the doctor away, as my mother says.",
        "He took a bite of the sweet red apple and smiled.",
        "The old tree in our garden has only one apple left this autumn.",
        "Bake the apple with sugar and butter until it is soft.",
    ),
    company=(
        "Apple released a new phone and raised the price again.",
        "Investors believe that the shares of Apple will keep rising.",
        "The court ruled that Apple had to pay a large fine.",
        "My new laptop was made by Apple and the screen is very bright.",
        "Engineers at Apple are designing a faster computer chip.",
    ),
)
BANK_ENGLISH = _two(
    "bank",
    river=(
        "We sat on the bank of the river and watched the boats go by.",
        "The children fished from the muddy bank until it got dark.",
        "After the heavy rain the water rose over the bank and flooded the fields.",
        "Tall green trees grow along the bank of the stream.",
        "Tired but happy, the swimmers reached the other bank of the river.",
    ),
    money=(
        "She went to the bank to open a savings account.",
        "The bank refused to lend them money for the house.",
        "He works for a large bank in the city and earns a good salary.",
        "Every month my bank charges a fee for the credit card.",
        "Last night the robbers stole two million dollars from the bank.",
    ),
)

GAPS_CHINESE = (
    Gap("我在網路上買了一件衣服，穿起來很舒服。", "穿", "衣服"),
    Gap("這本書的內容很好，值得一讀。", "書", "讀"),
    Gap("日本的首都是東京。", "東", "京"),
    Gap("太陽從東邊升起，從西邊落下。", "西", "東"),
    Gap("用手機拍的照片很清楚。", "照", "拍"),
    Gap("法國的首都是巴黎。", "巴", "黎"),
)
GAPS_ENGLISH = (
    Gap("The computer is running a new operating system.", "system", "operating"),
    Gap("The old man said that he was tired of life.", "he", "man"),
    Gap("The king gave the book to his son.", "his", "king"),
    Gap("The boy said that his mother was at home.", "his", "boy"),
    Gap("The girl is happy because she won the game.", "she", "girl"),
)

PRONOUNS_CHINESE = _pairs(
    ("{}打電話給{}，因為{}忘了帶鑰匙。", "媽媽", "她", "爸爸", "他"),
    ("{}在門口等{}，{}今天下班很晚。", "爸爸", "他", "媽媽", "她"),
    ("{}和{}去看電影，{}覺得很好看。", "姐姐", "她", "弟弟", "他"),
    ("{}陪{}去醫院，因為{}不敢自己去。", "爺爺", "他", "奶奶", "她"),
    ("{}寫信給{}，說{}考上了大學。", "女孩", "她", "男孩", "他"),
    ("{}愛上了{}，可是{}不能離開城堡。", "王子", "他", "公主", "她"),
    ("{}和{}一起做飯，{}負責洗菜。", "女兒", "她", "兒子", "他"),
    ("{}在車站遇見{}，{}正要回家。", "叔叔", "他", "阿姨", "她"),
    ("{}教{}下棋，現在{}下得很好。", "奶奶", "她", "孫子", "他"),
    ("{}跟{}吵架，後來{}先道歉了。", "哥哥", "他", "妹妹", "她"),
    ("{}和{}賽跑，結果{}先到終點。", "女生", "她", "男生", "他"),
    ("{}問{}，{}是不是生病了。", "國王", "他", "皇后", "她"),
)
PRONOUNS_ENGLISH = _pairs(
    ("The {} called the {} because {} had lost the key.", "girl", "she", "boy", "he"),
    ("The {} thanked the {} before {} left the room.", "king", "he", "queen", "she"),
    ("{} met {} when {} was living in London.", "Mary", "she", "John", "he"),
    ("My {} helped my {} until {} fell asleep.", "father", "he", "mother", "she"),
    ("The {} wrote to the {} that {} had passed the exam.", "woman", "she", "man", "he"),
    ("The {} asked the {} whether {} could sing.", "boy", "he", "girl", "she"),
    ("My {} told my {} that {} would win the game.", "sister", "she", "brother", "he"),
    ("The {} danced with the {} until {} was tired.", "prince", "he", "princess", "she"),
    ("The {} spoke to the {} after {} had left the stage.", "actress", "she", "actor", "he"),
    ("{} saw {} while {} was crossing the street.", "Peter", "he", "Anna", "she"),
    ("My {} travelled with my {} because {} could not drive.", "aunt", "she", "uncle", "he"),
    ("The {} smiled at the {} as {} came in.", "waiter", "he", "waitress", "she"),
)

# For the attention figures: the first of each language is looked at closely, head patterns are means over all. Most
# of them repeat a word, so that "attends to the same word elsewhere" can be measured.
READ_CHINESE = (
    "小貓很餓，所以牠把魚吃光了。",
    "老師走進教室，學生看到老師就安靜下來。",
    "這本書很好看，我想把這本書送給朋友。",
    "昨天很冷，今天更冷，明天應該會暖和一點。",
    "爸爸在廚房煮飯，媽媽在客廳看電視。",
    "火車八點出發，十點半到達台北車站。",
    "下雨了，我沒有帶傘，只好在車站等雨停。",
    "醫生說，多喝水、多運動，身體就會健康。",
)
READ_ENGLISH = (
    "The cat was hungry, so it ate the fish.",
    "The teacher came into the room, and the students looked at the teacher.",
    "This book is good, and I want to give this book to a friend.",
    "It was cold yesterday, it is cold today, but it will be warm soon.",
    "My father is cooking in the kitchen, and my mother is watching a film.",
    "The train leaves at eight and gets to the city at ten.",
    "I had no coat with me, so I waited in the station until the rain was over.",
    "Drink a lot of water, eat a lot of fruit, and you will feel better.",
)
