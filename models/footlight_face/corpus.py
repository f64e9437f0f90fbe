"""The sentences that the voices speak: all written for Footlight, none taken from elsewhere.

English comes from templates over word lists; the other languages from short lists of sentences whose words are also
shuffled, because a face model needs sounds beside many other sounds, not sense. Held-out sentences are written by hand
and share no template with the training ones.
"""

import random

PEOPLE = """Emma Peter Bob Maria Tom Pamela Oliver Fiona Hugo Bella Victor Mabel Ruth Wanda Yusuf Chloe George Zoe Noah
Thea Bruno Margaret Sheila Kapil Umberto Priya Joan Ahmed Poppy Felix""".split()
THINGS = """map boat apple table lamp button window mushroom bubble pump camera bottle basket zipper thumb feather river
chamber market ship jacket moon shoe garage vision path mother father wagon yellow bus violin wheel towel pepper bamboo
memo package blanket carpet album banana number spoon broom room bridge fish leaf knife beach watch voice choice house
mouse cloud flower tower oil coin tour cure fire wire bird nurse world""".split()
PLACES = """garden kitchen museum harbour village airport mountain workshop theatre library office valley cabin bakery
meadow station forest palace balcony courtyard""".split()
VERBS = """moved bought found painted opened borrowed pushed measured watched shared wrapped balanced remembered finished
described passed offered fixed chose changed brought polished photographed compared""".split()
ADJECTIVES = """big purple simple happy warm famous broken beautiful empty strange heavy smooth thin wide open quiet
bumpy yellow ancient vivid rare moist fresh foggy polite cheap royal usual amber""".split()
ADVERBS = [
    "slowly", "happily", "twice", "tomorrow", "outside", "together", "again", "quickly", "maybe", "before lunch",
    "by the river", "at home", "this morning", "without warning", "above the bay", "for free", "in June", "on Monday"]
TEMPLATES = [
    "{P} {v} the {a} {t} in the {p}.",
    "Why would {P} and {P} have {v} my {t} {w}?",
    "The {a} {t} by the {p} {v} {P} {w}.",
    "{P} said that the {t} was {a}, but the {t} was {a}.",
    "Please put the {t}, the {t} and the {a} {t} into the {p}.",
    "How many {a} {t}s can {P} see from the {p}?",
    "We {v} {n} {t}s and {n} {a} {t}s {w}.",
    "If you go to the {p}, bring a {t} for {P}.",
    "{P} is at the {p} now; the {a} {t} is here.",
    "Hmm, maybe {P} never {v} that {t}.",
    "It is {n} minutes past {n}, and {P} has the {a} {t}.",
    "Oh, a {a} {t}! {P} {v} it {w}.",
]

# Lists that put the sounds a mouth shows most beside each other.
DRILLS = [
    "Pop, bop, mop, top, cop, shop, chop, hop.", "Papa, mama, baba, dada, nana, kaka, lala, wawa.",
    "Map, mob, bomb, pomp, palm, balm, bump, pump.", "Beam, peep, meme, beep, weep, keep, deem, team.",
    "Boom, poop, moo, womb, zoom, room, loop, coop.", "Abba, appa, amma, awa, ava, afa, atha, asha.",
    "Ebb, hem, pep, step, gem, web, them, deb.", "Up, cup, hum, rub, thumb, sum, tub, come.",
    "We see the green sheep; he needs three keys.", "Who knew you threw two blue shoes through the room?",
    "Go slow, Joe, the snow rose over the old road.", "How now, brown cow, out and about in town.",
    "My bike might climb five wide miles at night.", "Father calmly parked the large dark car far apart.",
    "That black cat sat at the back and ran after Pam.", "Five vans of very fine coffee have left for Venice.",
    "Both brothers breathe with their mouths though the thin cloth is thick.",
    "She wishes for fresh fish and a cherry; the judge chose orange juice.",
    "Will Wanda wear a white woollen one while we wait?", "Yes, you used yellow yarn in your yard.",
    "Bob, Pip and Mom pump up a plump bumblebee balloon.", "An apple, a pear, a plum; a bun, a bap, a crumb.",
    "Simple people stumble; humble symbols tumble.", "Remember November, the ember and the amber timber.",
    "Maybe Bobby may bump my baby's pram.", "Hip hop, tip top, flip flop, clip clop, drip drop.",
    "One, two, three, four, five, six, seven, eight, nine, ten.", "Eleven, twelve, twenty, thirty, forty, fifty, a hundred.",
    "A, B, C, D, E, F, G, H, I, J, K, L, M.", "N, O, P, Q, R, S, T, U, V, W, X, Y, Z.",
    "I am. You are. He is. We were. They may be. It must be.", "Ah. Oh. Ooh. Ee. Eh. Um. Hmm. Aha. Uh-huh.",
]

OTHER = {
    "de": """Papa backt am Morgen ein braunes Brot. Meine Mutter möchte bunte Blumen kaufen. Über dem Bach blühen Pflaumenbäume.
Der Apfel fiel vom Baum auf die Bank. Schöne Vögel fliegen früh nach Süden. Ich habe heute keine Zeit für Bücher.
Wir wohnen zwischen Wald und Wiese. Bitte bring mir etwas Pfeffer und Butter. Das Boot schwamm langsam zum Ufer.
Er hat mehr als fünfzig Euro bezahlt. Kommt ihr am Abend mit ins Theater? Das Kind lacht und hüpft im Hof umher.
Ein Pferd steht im Schnee vor dem Haus. Neun Männer heben ein altes Klavier. Ja, genau so hatte ich es gemeint.""",
    "fr": """Papa prépare un bon plat de pommes. Ma mère habite près du pont. Beaucoup de bateaux passent par ici.
Le petit oiseau bleu chante au jardin. Où vas-tu avec cette grande boîte? Nous avons mangé du pain et du fromage.
Un homme jeune achète une rose rouge. Il pleut souvent en automne à Paris. Je voudrais boire un peu d'eau fraîche.
Vous parlez plus vite que mon voisin. La lune monte au-dessus de la montagne. Bonjour, comment vous appelez-vous?
Deux cents personnes attendent le bus. Cette chambre est simple mais confortable. On peut toujours changer d'avis.""",
    "es": """Mamá compra pan blanco en la plaza. Pablo bebe un vaso de agua fría. Mi hermano vive en un pueblo pequeño.
El perro bajó por la montaña al mar. Buenos días, ¿cómo está tu familia? La ventana grande da al campo verde.
Ocho amigos viajan en un barco rápido. Siempre comemos sopa los domingos. Ella cantaba bajo la lluvia de mayo.
¿Por qué no vienes mañana a mi casa? Un hombre amable abrió la puerta. Tengo que cambiar la bombilla rota.
El queso y el jamón son para Bárbara. Quiero una taza de chocolate caliente. Nunca vimos tantas mariposas juntas.""",
    "it": """La mamma prepara il pane per il babbo. Mio padre compra un bel mappamondo. Il gatto bianco dorme sopra il tappeto.
Buongiorno, vorrei un bicchiere d'acqua. Domani mattina andiamo al mercato insieme. Abbiamo bisogno di un ombrello nuovo.
Che bella giornata per una passeggiata. Il bambino mangia una mela e una pera. Giovanni suona la chitarra in giardino.
Quanto tempo ci vuole per la stazione? La luna splende sul mare calmo. Ogni sabato beviamo un buon caffè.""",
    "pt-br": """Minha mãe comprou pão e manteiga. O menino bebeu um copo de água. Bom dia, como vai a sua família?
A praia fica muito perto do porto. Um pássaro azul pousou na mesa. Amanhã vamos juntos ao mercado.
O homem abriu a porta da pequena casa. Não temos tempo para mais problemas. Quero uma xícara de café com leite.
As montanhas são bonitas em novembro.""",
    "nl": """Mijn moeder bakt een appeltaart met boter. Papa koopt morgen een nieuwe boot. De bomen buigen in de harde wind.
Goedemorgen, hoe gaat het met je broer? Wij wonen naast een mooi oud park. Het kleine meisje speelt met de poppen.
Ik heb vandaag geen zin in huiswerk. Zij loopt elke avond langs de rivier. Vijf vogels vliegen over het water.
De man bewaart zijn boeken op zolder.""",
    "sv": """Min mamma bakar bröd på morgonen. Pappa köpte en blå båt i maj. Barnen springer bort mot bryggan.
God morgon, hur mår din bror? Vi bor mellan skogen och ett berg. Hon dricker en kopp kaffe med mjölk.
Det snöar ofta här om vintern. Sju fåglar flyger över vattnet. Jag måste byta lampa i rummet.
Mannen öppnade den gamla porten.""",
    "pl": """Mama kupiła bułki i masło na rynku. Pan Piotr ma piękny biały dom. Ptaki śpiewają w parku o poranku.
Dzień dobry, jak się pani miewa? Mój brat pije herbatę bez cukru. Jutro pojedziemy razem nad morze.
Pod mostem płynie szeroka rzeka. Pięć małych kotów śpi na kanapie. Babcia opowiada bajkę o smoku.
Czy możesz zamknąć to okno?""",
    "fi": """Äiti paistaa pullaa ja puuroa. Poika pomppii puiston läpi. Hyvää huomenta, mitä sinulle kuuluu?
Meillä on pieni vene rannalla. Lumi peittää koko metsän talvella. Minä juon aamulla kupin kahvia.
Viisi lintua lentää veden yli. Vanha mies avasi hitaasti oven.""",
    "tr": """Annem pazardan ekmek ve peynir aldı. Babam bahçede büyük bir ağaç dikti. Günaydın, bugün nasılsınız?
Mavi kuşlar köprünün üstünden uçuyor. Çocuklar parkta birlikte oynuyor. Sabah bir bardak süt içerim.
Yarın hep beraber müzeye gideceğiz. Küçük kedi pencerede uyuyor.""",
    "hu": """Anyám almát és barackot vesz a piacon. Apám minden reggel kávét iszik. Jó napot, hogy van a családja?
A gyerekek a parkban labdáznak. Öt madár repül a hegyek fölött. Szép piros virágok nyílnak a kertben.
Holnap együtt megyünk a múzeumba. A kis macska az ablakban alszik.""",
    "id": """Ibu membeli roti dan mentega di pasar. Bapak minum kopi setiap pagi. Selamat pagi, apa kabar keluargamu?
Burung biru terbang di atas pohon. Anak-anak bermain bersama di taman. Besok kami pergi ke pantai.
Rumah kecil itu dekat dengan gunung. Dia membuka pintu dengan pelan.""",
    "ru": """Мама купила белый хлеб и масло. Папа пьёт чай каждое утро. Добрый день, как ваши дела?
Пять птиц летят над широкой рекой. Мой брат живёт в большом доме. Завтра мы вместе поедем к морю.
Бабушка пела песню о любви. Маленькая кошка спит у окна.""",
}

HELD_OUT = [
    "Every Thursday the baker leaves a warm loaf beside our back door.", "A pale moth flew from the lamp to the curtain and stayed there.",
    "Nobody expected the ferry to come back before the storm had passed.", "Could you ask the plumber whether Friday afternoon is possible?",
    "The map of the underground hung above my brother's bed for years.", "When the music stopped, both dancers bowed and walked away.",
    "I would rather have a cup of cocoa than another bowl of soup.", "Two hundred people applauded as the little submarine surfaced.",
    "My umbrella blew over the wall and into the neighbour's pond.", "Good evening, and welcome to the programme about bumblebees.",
    "He whispered the password, but the old woman did not move.", "Summer begins when the first apricots appear at the shop.",
    "You may park behind the pharmacy, opposite the swimming pool.", "The judge was amused by the shape of the boxer's moustache.",
    "Our robot vacuum bumped into the piano and gave up.", "Both cameras were pointed at the empty platform.",
    "Push the lever up, wait for the beep, then pull it down.", "Few visitors know that the tower was built from broken ships.",
    "She photographed a herd of buffalo from the top of the bus.", "What a marvellous thing to find in a paper bag!",
    "The balance on your account is four pounds and eleven pence.", "Somebody must have borrowed my blue jumper again.",
    "Open the box carefully, because the vase inside is thin.", "They argued about the weather and agreed about the soup.",
]

HELD_OUT_OTHER = {
    "de": ["Am Bahnhof wartet niemand mehr auf den letzten Zug.", "Meine Oma pflückte gestern Brombeeren am Waldrand.",
           "Können Sie mir bitte die Uhrzeit sagen?"],
    "fr": ["La boulangère ferme sa boutique vers midi.", "Mon grand-père répare un vieux bateau à moteur.",
           "Pouvez-vous m'indiquer le chemin du musée?"],
    "es": ["El abuelo reparaba bicicletas en un taller oscuro.", "Mi prima pinta barcos en la pared del baño.",
           "¿Puede decirme a qué hora abre el museo?"],
    "sv": ["Bagaren stänger sin butik klockan fem.", "Min morfar lagade gamla båtar vid hamnen."],
}


ROUND_WORDS = """two blue moon shoe true few new view cue who rude group soup fruit juice tool loose noon cool
    boat road go low home phone over show coat slow open gold told hope one won wake week was well west swim twin quick
    queen would should could wood foot book music human beauty cute""".split()
SPREAD_WORDS = """see tea keep deep field leaf seat these sit big milk ship thin ring kiss fill bed ten get less neck
    said head step yes this living city easy eager enemy index""".split()


def english(count, seed):
    """`count` training sentences: the drills first, then templates."""
    rng = random.Random(seed)
    numbers = ["two", "three", "four", "five", "six", "seven", "eight", "nine", "twelve", "fifty"]
    sentences = list(DRILLS)
    while len(sentences) < count:
        if rng.random() < 0.2:
            pool = PEOPLE + THINGS + PLACES + VERBS + ADJECTIVES
            sentences.append(", ".join(" ".join(rng.sample(pool, rng.randint(2, 4))) for _ in range(2)) + ".")
            continue
        sentence = rng.choice(TEMPLATES)
        for slot, pool in (("{P}", PEOPLE), ("{t}", THINGS), ("{p}", PLACES), ("{v}", VERBS), ("{a}", ADJECTIVES),
                           ("{w}", ADVERBS), ("{n}", numbers)):
            while slot in sentence:
                sentence = sentence.replace(slot, rng.choice(pool), 1)
        sentences.append(sentence)
    rng.shuffle(sentences)
    return sentences[:count]


def rounding(count, seed):
    """`count` rows of words that round the lips, among others that spread them: fronted vowels are where voices differ."""
    rng = random.Random(f"rounding{seed}")
    return [" ".join(rng.choice(ROUND_WORDS if rng.random() < 0.6 else SPREAD_WORDS) for _ in range(rng.randint(4, 8)))
            + "." for _ in range(count)]


def other(language, count, seed):
    """`count` training sentences of another language: as written, then with their words shuffled."""
    rng = random.Random(f"{language}{seed}")
    text = " ".join(OTHER[language].split())
    for mark in ".?!":
        text = text.replace(f"{mark} ", f"{mark}\n")
    written = text.split("\n")
    words = [word.strip(".,?!¿¡;") for word in text.split()]
    sentences = list(written)
    while len(sentences) < count:
        sentences.append(" ".join(rng.sample(words, rng.randint(4, 8))) + ".")
    rng.shuffle(sentences)
    return sentences[:count]
