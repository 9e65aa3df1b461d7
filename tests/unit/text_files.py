"""Small generated files in the layouts of the text datasets; no sentence in them means anything."""

import csv
import io
import struct
import zipfile
import zlib

import numpy as np

from fairmt.data.datasets import ellipse, hatexplain, jigsaw, jigsaw_templates

WORDS = [
    left + right
    for left in ("ba", "co", "di", "fu", "ge", "lo")
    for right in ("ran", "til", "mo", "pek", "sy")
]
ESSAYS = [
    "text_id_kaggle",
    "full_text",
    "gender",
    "grade",
    "race_ethnicity",
    "num_words",
    "num_words2",
    "num_words3",
    "num_sent",
    "num_para",
    "num_word_div_para",
    "MTLD",
    "TTR",
    "Type",
    "Token",
    "task",
    "SES",
    "prompt",
    "Overall",
    "Cohesion",
    "Syntax",
    "Vocabulary",
    "Phraseology",
    "Grammar",
    "Conventions",
    "set",
]
POSTS = ["", "comment", "label", "Race", "Religion", "Gender", "Sexual_Orientation", "Miscellaneous"]
STATUS = ["Economically disadvantaged", "Not economically disadvantaged"]
IDENTITIES = [
    "male",
    "female",
    "LGBTQ",
    "christian",
    "muslim",
    "other_religions",
    "black",
    "white",
    "identity_any",
]
COMMENTS = [
    *("", "comment_text", "split", "toxicity", *IDENTITIES),
    *("severe_toxicity", "obscene", "threat", "insult", "identity_attack", "sexual_explicit"),
]


def sentence(rng, words=20):
    return " ".join(rng.choice(WORDS, words))


def table(header, rows):
    """A CSV file's bytes, with CRLF and UTF-8."""
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows([header, *rows])
    return stream.getvalue().encode()


def essays(rows=400):
    """The CSV file in the archive of ELLIPSE."""
    rng = np.random.default_rng(0)
    races = [
        "Hispanic/Latino",
        "Asian/Pacific Islander",
        "Black/African American",
        "White",
        "Two or more races/Other",
    ]
    content = []
    for number in range(rows):
        values = dict.fromkeys(ESSAYS, "1") | {
            "text_id_kaggle": f"{number}E+11" if number < 5 else str(2 * 10**11 + number),
            "full_text": sentence(rng, 30) + ',\n"' + sentence(rng, 5) + '"',
            "gender": rng.choice(["Female", "Male"]),
            "race_ethnicity": rng.choice(races),
            "SES": "" if number == 7 else rng.choice(STATUS),
            "prompt": rng.choice([*ellipse.PROMPTS, "Lunch menus", "Honesty"]),
            **{score: str(rng.integers(2, 11) / 2) for score in ellipse.SCORES},
            "set": "test",
        }
        content.append([values[column] for column in ESSAYS])
    return table(ESSAYS, content)


def write_ellipse(folder, content=None, password=ellipse.PASSWORD, name=ellipse.ESSAYS):
    folder.mkdir(parents=True, exist_ok=True)
    archive = locked(name, essays() if content is None else content, password)
    (folder / ellipse.ARCHIVE).write_bytes(archive)
    return folder


def posts(rows=1200):
    rng = np.random.default_rng(1)
    content = []
    for number in range(rows):
        targets = {
            column: rng.choice(common + hatexplain.RARE[column])
            for column, common in hatexplain.TARGETS.items()
        }
        values = {
            "": number,
            "comment": sentence(rng) + " 😂",
            "label": rng.choice(hatexplain.LABELS),
            "Gender": rng.choice(hatexplain.GENDERS),
            "Miscellaneous": "Other",
            **targets,
        }
        content.append([values[column] for column in POSTS])
    return table(POSTS, content)


def write_hatexplain(folder):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / hatexplain.POSTS).write_bytes(posts())
    return folder


def templates():
    """Sentences of every template for all identity terms, and some without."""
    known = {term for terms in jigsaw_templates.TERMS.values() for term in terms}
    terms = sorted(known | {"deaf", "middle aged"})
    rows = []
    words = (("toxic", "vile", "kill", "hate"), ("nontoxic", "fine", "hug", "am"))
    for toxicity, adjective, verb, copula in words:
        for term in terms:
            rows += [
                ["name_adj", toxicity, f"Léa is a {adjective} {term}"],
                ["being_adj", toxicity, f"Being {term} is {adjective}"],
                ["you_are_adj", toxicity, f"You are a {adjective} {term}"],
                ["verb_adj", toxicity, f"{verb} {term}"],
                ["am_hate_adj", toxicity, f"I {copula} {term}"],
            ]
        rows.append(["you_occupation", toxicity, f"You are a {adjective} police officer"])
    return table(["template", "toxicity", "phrase"], rows)


def write_templates(folder):
    (write_hatexplain(folder) / jigsaw_templates.TEMPLATES).write_bytes(templates())
    return folder


def comments(rows=900):
    """Shares of ten raters; nobody was asked about the identities of every fifth comment."""
    rng = np.random.default_rng(2)
    content = []
    for number in range(rows):
        values = {column: rng.integers(0, 11) / 10 for column in COMMENTS} | {
            "": number,
            "comment_text": sentence(rng) + ',\n"NA"',
            "split": ["train", "train", "train", "val", "test"][number % 5],
        }
        values |= {"severe_toxicity": rng.integers(0, 4) / 10}
        if number % 5 == 2:
            values |= dict.fromkeys(IDENTITIES, "")
        content.append([values[column] for column in COMMENTS])
    return table(COMMENTS, content)


def write_jigsaw(folder):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / jigsaw.COMMENTS).write_bytes(comments())
    return folder


def locked(name, content, password):
    """A ZIP archive of one file, encrypted by the format's traditional method.

    Python reads such archives and does not write them; the method is in section 6.1 of PKWARE's
    *.ZIP File Format Specification*.
    """
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
        entry, directory = archive.infolist()[0], archive.start_dir
    plain = bytearray(stream.getvalue())
    start = 30 + len(name.encode())
    header = bytes(11) + bytes([entry.CRC >> 24])
    secret = _encrypt(header + bytes(plain[start : start + entry.compress_size]), password)
    tail = plain[start + entry.compress_size :]
    for part, flags, size in ((plain, 6, 18), (tail, 8, 20)):
        struct.pack_into("<H", part, flags, struct.unpack_from("<H", part, flags)[0] | 1)
        struct.pack_into("<L", part, size, len(secret))
    struct.pack_into("<L", tail, len(tail) - 6, directory + len(header))
    return bytes(plain[:start]) + secret + bytes(tail)


def _encrypt(content, password):
    keys = [0x12345678, 0x23456789, 0x34567890]

    def update(byte):
        keys[0] = _crc(keys[0], byte)
        keys[1] = ((keys[1] + (keys[0] & 0xFF)) * 134775813 + 1) & 0xFFFFFFFF
        keys[2] = _crc(keys[2], keys[1] >> 24)

    for byte in password:
        update(byte)
    secret = bytearray()
    for byte in content:
        mask = keys[2] | 2
        secret.append(byte ^ (((mask * (mask ^ 1)) >> 8) & 0xFF))
        update(byte)
    return bytes(secret)


def _crc(value, byte):
    """One step of CRC-32 without the complements that zlib adds at either end."""
    return zlib.crc32(bytes([byte]), value ^ 0xFFFFFFFF) ^ 0xFFFFFFFF
