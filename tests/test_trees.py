"""Trees: what is read of a treebank's files, and that writing a tree as symbols loses nothing, whatever comes back."""

from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vaswani.data import CleaningLimits, Drops, Pair, clean_pairs, fingerprint, learn_tokenizer, open_corpus
from vaswani.data.pairs import NoPair, Row
from vaswani.data.trees import (
    Leaf,
    Node,
    Tree,
    Treebank,
    bracketed,
    builtin,
    delinearise,
    leaves,
    linearise,
    normalize_tree,
    open_treebank,
    read_trees,
    tokens_of,
)
from vaswani.data.trees.builtin import DIGEST, RULES, SPLITS, BuiltinTreebank
from vaswani.data.trees.tree import Open, walk

ROOT = Path(__file__).resolve().parents[1]
LABELS = st.sampled_from(["S", "NP", "VP", "SBAR", "ADVP", "X"])
TAGS = st.sampled_from(["NN", "DT", ",", "``", "PRP$", "-LRB-", ".", "NN|NNS"])
WORDS = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="()"), min_size=1, max_size=6)
LEAVES = st.builds(Leaf, TAGS, WORDS)


def constituents(label: st.SearchStrategy[str]) -> st.SearchStrategy[Node]:
    def around(inside: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
        return st.builds(Tree, label, st.lists(inside, min_size=1, max_size=4).map(tuple))

    return st.recursive(LEAVES, around, max_leaves=12)


TREES = st.builds(Tree, st.just("TOP"), st.lists(constituents(LABELS), min_size=1, max_size=3).map(tuple))
SYMBOLS = st.one_of(
    st.sampled_from(
        ["(S", "(NP", "(VP", ")S", ")NP", ")VP", "(NN)", "(DT)", "(.)", "(", ")", "()", "((", "NP", "(NP("]
    ),
    st.text("()SNP", min_size=1, max_size=5),
)


def words(tree: Node) -> list[str]:
    return [leaf.word for leaf in leaves(tree)]


# --- bracketed text ---


def test_a_tree_is_read_over_many_lines_and_without_a_label_on_top() -> None:
    text = "( (S\n    (NP-SBJ (DT The)\n (NN cat))\n  (VP (VBZ sleeps)) (. .)))\n\n(NN dog)(X (Y y))"
    cat = Tree(
        "S",
        (
            Tree("NP-SBJ", (Leaf("DT", "The"), Leaf("NN", "cat"))),
            Tree("VP", (Leaf("VBZ", "sleeps"),)),
            Leaf(".", "."),
        ),
    )
    assert read_trees(text) == [Tree("", (cat,)), Leaf("NN", "dog"), Tree("X", (Leaf("Y", "y"),))]


@given(tree=TREES)
def test_bracketed_text_reads_back(tree: Tree) -> None:
    assert read_trees(bracketed(tree)) == [tree]
    assert read_trees(bracketed(tree).replace(" ", "\n  ").replace(")", " )\t")) == [tree]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("(S (NP (DT The)) dog)", "dog is outside a bracket of its own"),
        ("(NP the dog)", r"after \(NP the a closing bracket is needed, and dog follows"),
        ("(S (NP ))", r"\(NP\) has nothing in it"),
        ("(S ())", r"\(\) has nothing in it"),
        ("(S (NN dog)", r"\(S is not closed"),
        ("(NN dog))", "a bracket closes that was not opened"),
        ("(NN dog", r"after \(NN dog a closing bracket is needed, and nothing follows"),
    ],
)
def test_text_of_another_form_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_trees(text)


def test_the_normal_form_is_bare_labels_over_words() -> None:
    """By hand, from the description of EVALB: traces and what holds nothing else are gone, as are -SBJ, -1 and =2."""
    [tree] = read_trees(
        "(ROOT (S (NP-SBJ-1 (PRP They)) (VP (VBD reported) (SBAR (-NONE- 0) (S (-NONE- *T*-1)))"
        " (NP=2 (-LRB- -LRB-) (NN x-y) (-RRB- -RRB-))) (. .)))"
    )
    assert bracketed(normalize_tree(tree) or tree) == (
        "(TOP (S (NP (PRP They)) (VP (VBD reported) (NP (-LRB- -LRB-) (NN x-y) (-RRB- -RRB-))) (. .)))"
    )
    [nothing] = read_trees("(S (NP (-NONE- *)))")
    assert normalize_tree(nothing) is None
    [fragment] = read_trees("( (NP (NN war)) (. .))")
    assert bracketed(normalize_tree(fragment) or fragment) == "(TOP (NP (NN war)) (. .))"


# --- linearised trees ---


def test_a_tree_is_written_as_its_brackets_and_tags() -> None:
    [tree] = read_trees("(S (NP (DT The) (NN cat)) (VP (VBZ sleeps)) (. .))")
    assert linearise(normalize_tree(tree) or Tree("", ())) == "(S (NP (DT) (NN) )NP (VP (VBZ) )VP (.) )S"


@given(tree=TREES)
def test_nothing_is_lost_of_a_tree(tree: Tree) -> None:
    assert normalize_tree(tree) == tree  # or the property would say less than it seems to
    reading = delinearise(linearise(tree), words(tree))
    assert reading.tree == tree
    assert not reading.mended


@given(row=st.lists(SYMBOLS, max_size=30).map(" ".join), sentence=st.lists(WORDS, min_size=1, max_size=8))
@example(row="(NP " * 2000 + "(NN)", sentence=["deep"])
@settings(max_examples=300)
def test_whatever_is_written_becomes_a_tree_of_the_sentence(row: str, sentence: list[str]) -> None:
    tree, mended = delinearise(row, sentence)
    assert words(tree) == sentence
    assert tree.label == "TOP"
    assert (linearise(tree) == row) == (not mended)  # mended is what differs, and nothing else
    assert all(step.label for step in walk(tree) if isinstance(step, Open))


@pytest.mark.parametrize(
    ("row", "tree", "what"),
    [
        ("(S (NP (DT) (NN)", "(TOP (S (NP (DT a) (NN b))))", {"constituent not closed": 2}),
        ("(S (NP (DT) )S (NN)", "(TOP (S (NP (DT a))) (NN b))", {"constituent not closed": 1}),
        ("(S (DT) )VP (NN) )S", "(TOP (S (DT a) (NN b)))", {"end without a beginning": 1}),
        ("(S (NP )NP (DT) (NN) )S", "(TOP (S (DT a) (NN b)))", {"constituent without words": 1}),
        ("(S (DT) (NN) (.) )S", "(TOP (S (DT a) (NN b)))", {"tag without a word": 1}),
        ("(S (DT) )S", "(TOP (S (DT a)) (XX b))", {"word without a tag": 1}),
        ("(S (DT) the (NN) )S", "(TOP (S (DT a) (NN b)))", {"not a symbol": 1}),
        ("", "(TOP (XX a) (XX b))", {"word without a tag": 2}),
    ],
)
def test_what_is_mended_and_how(row: str, tree: str, what: dict[str, int]) -> None:
    reading = delinearise(row, ["a", "b"])
    assert bracketed(reading.tree) == tree
    assert reading.mended == what


# --- symbols in the vocabulary ---

SENTENCES = ["the cat sleeps here and dreams .", "a dog sees the cats (or so) .", "-LRB- 3 \\/ 4 -RRB-"] * 20
BRACKETS = ["(S", "(NP", ")NP", ")S", "(DT)", "(NN)", "(``)", "(PRP$)", "(-LRB-)", "(.)"]
TOKENIZER = learn_tokenizer(SENTENCES, 310, show_progress=False, brackets=BRACKETS)


def test_brackets_are_whole_symbols_and_words_are_not_taken_for_them() -> None:
    row = "(S (NP (DT) (NN) )NP (``) (PRP$) (-LRB-) (.) )S"
    ids = TOKENIZER(row).input_ids
    assert len(ids) == len(row.split()) + 1  # and </s>
    assert len(TOKENIZER) == 310
    for text in ("(NPs", "x(NP", "(NP)", "a (DT)n", "(NN)(NN)"):
        pieces = TOKENIZER.tokenize(text)
        assert not {piece.strip("Ġ") for piece in pieces} & {"(NP", "(DT)", "(NN)"}, text


@given(text=st.one_of(st.text(st.characters(exclude_categories=["Cs"])), st.lists(SYMBOLS).map(" ".join)))
def test_any_text_still_comes_back_from_such_a_vocabulary(text: str) -> None:
    assert TOKENIZER.decode(TOKENIZER(text).input_ids, skip_special_tokens=True) == text


def test_brackets_take_their_place_among_the_entries_and_in_the_fingerprint() -> None:
    with pytest.raises(ValueError, match=r"vocab_size is 265, and the smallest is 270: .* 10 brackets of the trees"):
        learn_tokenizer(SENTENCES, 265, brackets=BRACKETS)
    assert fingerprint(TOKENIZER) != fingerprint(learn_tokenizer(SENTENCES, 310, False, BRACKETS[:-1]))


# --- treebanks in files ---


def write(path: Path, *trees: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n\n".join(trees) + "\n", encoding="utf-8")


def rows(bank: Treebank) -> list[Row]:
    return [row for group in range(bank.groups) for row in bank.read(group)]


def tree_of(word: str) -> str:
    return f"( (S\n    (NP-SBJ (NN {word}))\n    (. .)))"


def test_sections_are_files_or_folders_and_a_range_of_them(tmp_path: Path) -> None:
    write(tmp_path / "02" / "wsj_0201.mrg", tree_of("a"), tree_of("b"))
    write(tmp_path / "02" / "deeper" / "wsj_0200.mrg", tree_of("c"))
    write(tmp_path / "02" / "readme.txt", "no trees")
    write(tmp_path / "03.mrg", tree_of("d"))
    write(tmp_path / "04.trees", tree_of("e"))
    write(tmp_path / "22.mrg", tree_of("f"))
    bank = open_treebank(tmp_path, "02-04")
    assert [row[0] for row in rows(bank)] == ["c .", "a .", "b .", "d .", "e ."]
    assert rows(bank)[0] == Pair("c .", "(S (NP (NN) )NP (.) )S")
    assert (bank.rows, bank.groups) == (5, 4)  # a group does not reach over files
    assert [row[0] for row in rows(open_treebank(tmp_path, "22"))] == ["f ."]
    with pytest.raises(ValueError, match=r"lacks 05, 06 of the sections 02-06.*It has: 02, 03, 04, 22"):
        open_treebank(tmp_path, "02-06")
    with pytest.raises(ValueError, match="the first number is above the second"):
        open_treebank(tmp_path, "04-02")
    with pytest.raises(ValueError, match='no split "test"'):
        open_treebank(tmp_path, "test")
    write(tmp_path / "22.trees", tree_of("g"))
    with pytest.raises(ValueError, match='holds "22" in two formats'):
        open_treebank(tmp_path, "22")


def test_groups_are_of_a_thousand_and_each_is_read_alone(tmp_path: Path) -> None:
    """More than a chunk of reading, so that lines and brackets are counted across chunks."""
    long = "(NP (NN {})" + " " * 1050 + "(NN x))"
    write(tmp_path / "train.mrg", *(long.format(f"wörd{n}") for n in range(4100)))
    assert (tmp_path / "train.mrg").stat().st_size > 1 << 22
    bank = Treebank("bank", [tmp_path / "train.mrg"])
    assert (bank.rows, bank.groups) == (4100, 5)
    assert [row[0] for row in bank.read(4)] == [f"wörd{n} x" for n in range(4000, 4100)]
    assert [row[0] for row in rows(bank)] == [f"wörd{n} x" for n in range(4100)]
    before = bank.fingerprint
    write(tmp_path / "other.mrg", *(long.format(f"wörd{n}") for n in range(4099)))
    assert Treebank("bank", [tmp_path / "other.mrg"]).fingerprint != before
    (tmp_path / "train.mrg").write_text("(NN x)")
    with pytest.raises(ValueError, match="has changed since it was opened"):
        bank.read(0)


def test_trees_that_are_none_keep_their_place_and_are_counted(tmp_path: Path) -> None:
    write(tmp_path / "train.mrg", tree_of("a"), "(S (NP ))", "(S (-NONE- *))", "% a remark\n(NN x)", tree_of("b"))
    with (tmp_path / "train.mrg").open("ab") as file:
        file.write(b"(NN \xff)")
    bank = open_treebank(tmp_path, "train")
    reasons = [row.reason if isinstance(row, NoPair) else row.source for row in rows(bank)]
    assert reasons == ["a .", "malformed", "empty", "malformed", "b .", "undecodable"]
    drops = Drops()
    assert [pair.source for pair in clean_pairs(bank, CleaningLimits(), drops)] == ["a .", "b ."]
    assert drops.places["malformed"] == [
        f"{tmp_path}/train.mrg, line 5: (NP) has nothing in it",
        f"{tmp_path}/train.mrg, line 10: % is outside a bracket of its own",
    ]


def test_a_byte_order_mark_is_no_part_of_a_tree(tmp_path: Path) -> None:
    (tmp_path / "train.mrg").write_text("\ufeff(NN a)\n(NN b)\n", encoding="utf-8")
    assert [row[0] for row in rows(open_treebank(tmp_path, "train"))] == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("(NN a)\n(NN b))\n", "train.mrg, line 2: a closing bracket has no opening one"),
        ("(NN a)\n\n(S (NN b)\n", r"after the last complete tree, in line 1, is not closed: '\(S \(NN b\)"),
        ("(NN a)\nthe end", "in line 1, is not a tree: 'the end'"),
        ("\n", "no tree in it"),
    ],
)
def test_a_file_whose_brackets_do_not_close_is_refused(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "train.mrg").write_text(content)
    with pytest.raises(ValueError, match=words):
        open_treebank(tmp_path, "train")


def test_trees_are_a_target_of_files_or_of_the_built_in_corpus(tmp_path: Path) -> None:
    write(tmp_path / "train.mrg", tree_of("a"))
    assert open_corpus(data_dir=str(tmp_path), split="train", source="en", target="trees").rows == 1
    assert open_corpus(dataset="grammar", split="test", source="en", target="trees").rows == 300
    with pytest.raises(ValueError, match="Trees can only be the target"):
        open_corpus(dataset="grammar", split="test", source="trees", target="en")
    with pytest.raises(ValueError, match='not from "wmt/wmt14"'):
        open_corpus(dataset="wmt/wmt14", split="test", source="en", target="trees")
    with pytest.raises(ValueError, match="has no trees in it"):
        open_corpus(data_dir=str(ROOT / "recipes"), split="test", source="en", target="trees")


# --- the built-in treebank ---


def test_the_built_in_treebank_is_what_its_fingerprint_says() -> None:
    content = [pair for split in SPLITS for pair in BuiltinTreebank(split).read(0)]
    assert sha256("\n".join(side for pair in content for side in pair).encode()).hexdigest() == DIGEST


def test_the_built_in_splits_share_no_sentence_and_use_every_rule() -> None:
    trees = {split: BuiltinTreebank(split).trees(0) for split in SPLITS}
    sentences = {split: {builtin.words_of(tree) for tree in each} for split, each in trees.items()}
    assert [len(each) for each in sentences.values()] == [1000, 200, 300]
    assert len(set.union(*sentences.values())) == 1500
    found = {step.label for tree in trees["train"] for step in walk(tree) if isinstance(step, Open)} - {"TOP"}
    assert found == {kind.partition("/")[0] for kind in RULES}
    for tree in trees["test"]:
        assert normalize_tree(tree) == tree
    assert len(tokens_of(linearise(tree) for tree in trees["train"])) == 49
