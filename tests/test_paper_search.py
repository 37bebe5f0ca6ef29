"""The search of section 6.1 equals a slow one that is written from its definition, one hypothesis at a time."""

import itertools
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from forked_python import forked
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_search import END, START, gnmt, probabilities, slow_search, translations
from torch import Tensor
from transformers import (
    GenerationConfig,
    LogitsProcessorList,
    MaxLengthCriteria,
    MaxTimeCriteria,
    StoppingCriteria,
    StoppingCriteriaList,
    TextStreamer,
)
from transformers.generation.stopping_criteria import EosTokenCriteria

from vaswani.modeling.search_vaswani import BLOCK, NEVER, best_continuations

MakeModel = Callable[..., Any]


@given(
    sizes=st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 3 * BLOCK)),
    number=st.integers(1, 10),
    share=st.sampled_from([0.0, 0.5, 0.99, 1.0]),
    seed=st.integers(0, 10_000),
)
@settings(max_examples=150, deadline=None)
def test_the_best_continuations_are_those_of_a_sort_of_all(
    sizes: tuple[int, int, int], number: int, share: float, seed: int
) -> None:
    """With a share of tokens that cannot follow, and hypotheses that do not run."""
    generator = torch.Generator().manual_seed(seed)
    sentences, running, vocab_size = sizes
    number = min(number, running * vocab_size)
    scores, log_p = torch.randn(sizes[:2], generator=generator), torch.randn(sizes, generator=generator)
    scores[:, 1:].masked_fill_(torch.rand(sentences, running - 1, generator=generator) < share, NEVER)
    log_p.masked_fill_(torch.rand(sizes, generator=generator) < share, NEVER)
    best, places = best_continuations(scores, log_p, number)
    expected = (scores[:, :, None] + log_p).flatten(1).topk(number, dim=1)
    assert torch.equal(best, expected.values)
    assert torch.equal(places[best > NEVER], expected.indices[best > NEVER])
    assert bool(((places >= 0) & (places < running * vocab_size)).all())


@pytest.mark.parametrize("seed", range(50))
def test_the_search_equals_the_slow_one(tiny_model: MakeModel, seed: int) -> None:
    """Ten cases each: random networks, widths, penalties, limits, sources of unlike length side by side."""
    draw = random.Random(seed)
    model = tiny_model(seed, vocab_size=draw.choice([6, 9, 29]))
    vocab_size = model.config.vocab_size
    # An untrained network hardly ever ends a sentence; a larger end embedding makes ends common.
    model.model.tokens.weight.data[END] *= draw.choice([0.5, 1.0, 2.0, 3.0])
    for _ in range(2):
        beams, alpha, longest = draw.randint(2, 5), draw.choice([0.0, 0.6, 1.0, 2.0, -0.5]), draw.randint(1, 7)
        wanted = draw.randint(1, beams)
        sources = [
            torch.tensor([draw.randrange(4, vocab_size) for _ in range(draw.randint(1, 6))] + [END]) for _ in range(5)
        ]
        early = draw.choice([None, False, "never", True, True])
        input_ids = torch.nn.utils.rnn.pad_sequence(sources, batch_first=True, padding_value=1)
        mask = (torch.arange(input_ids.shape[1]) < torch.tensor([len(s) for s in sources])[:, None]).long()
        output = model.generate(
            input_ids,
            attention_mask=mask,
            num_beams=beams,
            num_return_sequences=wanted,
            length_penalty=alpha,
            max_new_tokens=longest,
            return_dict_in_generate=True,
            output_scores=True,
            early_stopping=early,
        )
        scores = output.sequences_scores.view(len(sources), wanted)
        for number, (source, found) in enumerate(zip(sources, translations(output, wanted), strict=True)):
            expected = slow_search(probabilities(model, source), beams, alpha, longest, early is True)[:wanted]
            assert found[: len(expected)] == [each.tokens for each in expected]
            assert scores[number, : len(expected)].tolist() == pytest.approx([e.score for e in expected], abs=1e-9)


def generate(model: Any, *lengths: int, **how: Any) -> Any:
    """Translate sources of these lengths, all numbers from 4 on, with scores."""
    input_ids = torch.ones((len(lengths), max(lengths)), dtype=torch.int64)
    for row, length in zip(input_ids, lengths, strict=True):
        row[:length] = torch.arange(length) % 20 + 4
    mask = (input_ids != 1).long()
    asked = {"num_beams": 3, "length_penalty": 0.6, "return_dict_in_generate": True, "output_scores": True}
    return model.generate(input_ids, attention_mask=mask, **(asked | how))


def test_a_sentence_may_have_fifty_symbols_more_than_its_source_whatever_stands_beside_it(
    tiny_model: MakeModel,
) -> None:
    output = generate(tiny_model(), 2, 9, 5, suppress_tokens=[END])
    assert [(row[1:] != 1).sum().item() for row in output.sequences] == [52, 59, 55]
    capped = generate(tiny_model(), 2, 9, suppress_tokens=[END], max_new_tokens=55)
    assert [(row[1:] != 1).sum().item() for row in capped.sequences] == [52, 55]


def test_scores_by_hand(tiny_model: MakeModel) -> None:
    """Seven tokens with the end: 12 / 6 = 2, so alpha 1 halves log P, and alpha 0.6 divides it by 1.5157."""
    for alpha, divisor in ((0.0, 1.0), (1.0, 2.0), (0.6, 2**0.6)):
        output = generate(tiny_model(), 4, length_penalty=alpha, min_new_tokens=7, max_new_tokens=7)
        assert (output.sequences[0, 1:] != 1).sum() == 7
        steps = tiny_model().compute_transition_scores(output.sequences, output.scores, output.beam_indices)
        assert output.sequences_scores.item() == pytest.approx(steps.sum().item() / divisor)


@pytest.mark.parametrize("how", [{"use_cache": False}, {"cache_implementation": "static"}, {"output_logits": True}])
def test_caches_and_requests_change_nothing(tiny_model: MakeModel, how: dict[str, Any]) -> None:
    model = tiny_model()
    expected = generate(model, 3, 8, num_return_sequences=3)
    found = generate(model, 3, 8, num_return_sequences=3, **how)
    assert torch.equal(found.sequences, expected.sequences)
    torch.testing.assert_close(found.sequences_scores, expected.sequences_scores, rtol=1e-9, atol=1e-9)
    assert torch.equal(found.beam_indices, expected.beam_indices)


def rows_per_step(model: Any) -> list[int]:
    """A list that grows by the rows that each forward pass of the decoder is given."""
    rows: list[int] = []
    model.get_decoder().register_forward_pre_hook(
        lambda *given: rows.append(len(given[2]["input_ids"])), with_kwargs=True
    )
    return rows


def as_it_is(_: Tensor, log_p: Tensor) -> Tensor:
    return log_p


PROMPT = {
    "decoder_input_ids": torch.tensor([[START, 7, 5], [START, 6, 8], [START, 9, 5], [START, 7, 7]]),
    "decoder_attention_mask": torch.tensor([[1, 1, 1], [1, 0, 1], [1, 1, 1], [1, 0, 0]]),
}


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("how", [{}, {"use_cache": False}, {"cache_implementation": "static"}, PROMPT])
def test_sentences_that_are_done_leave_the_batch_and_it_changes_nothing(
    tiny_model: MakeModel, seed: int, how: dict[str, Any]
) -> None:
    """A processor may count on the rows of the batch, so with one that does nothing every sentence stays to the end."""
    model = tiny_model(seed)
    model.model.tokens.weight.data[END] *= 1.5
    rows, asked = rows_per_step(model), {"num_return_sequences": 2, "max_new_tokens": 12, "output_logits": True, **how}
    left = generate(model, 2, 9, 5, 3, **asked)
    on_leaving = rows.copy()
    rows.clear()
    stayed = generate(model, 2, 9, 5, 3, logits_processor=LogitsProcessorList([as_it_is]), **asked)
    assert rows == [12] * len(rows)
    assert on_leaving[0] == 4  # before the first token the beams are one
    assert on_leaving[1:] == sorted(on_leaving[1:], reverse=True)
    assert len(on_leaving) == len(rows)
    assert torch.equal(left.sequences, stayed.sequences)
    assert torch.equal(left.beam_indices, stayed.beam_indices)
    torch.testing.assert_close(left.sequences_scores, stayed.sequences_scores, rtol=1e-9, atol=1e-9)
    for scores in ("scores", "logits"):
        one, other = (
            model.compute_transition_scores(
                each.sequences, each[scores], each.beam_indices, normalize_logits=scores == "logits"
            )
            for each in (left, stayed)
        )
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


def test_the_batch_shrinks_by_what_is_done(tiny_model: MakeModel) -> None:
    """Cut off at 52, 59 and 55 tokens, the sentences leave one after another."""
    model = tiny_model(eos_token_id=None)
    rows = rows_per_step(model)
    generate(model, 2, 9, 5)
    assert rows == [3] + [9] * 51 + [6] * 3 + [3] * 4


ONE_OF_TWO = """
import os, sys
import torch
from transformers import AutoModelForSeq2SeqLM
import vaswani.modeling
folder, rank = sys.argv[1], int(sys.argv[2])
torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
model = AutoModelForSeq2SeqLM.from_pretrained(folder)
passes = []
model.get_decoder().register_forward_pre_hook(lambda *_: passes.append(1))
source = torch.arange(4, 6 + 9 * rank)[None]
alone = model.generate(source, num_beams=3)
counts = [len(passes)]
for spread, asked in ((False, {"synced_gpus": True}), (True, {})):
    passes.clear()
    model._is_fsdp_managed_module = spread
    assert torch.equal(model.generate(source, num_beams=3, **asked), alone)
    counts.append(len(passes))
torch.save(counts, f"{folder}/{rank}.pt")
sys.stdout.flush()
os._exit(0)
"""


def test_a_process_that_is_done_goes_on_for_one_that_is_not(tiny_model: MakeModel, tmp_path: Path) -> None:
    """Where weights are spread over processes, each forward pass needs all of them."""
    tiny_model(eos_token_id=None).save_pretrained(tmp_path)
    command = forked(sys.executable, "-c", ONE_OF_TWO, tmp_path)
    processes = [subprocess.Popen([*command, str(rank)]) for rank in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    assert [torch.load(tmp_path / f"{rank}.pt") for rank in range(2)] == [[52, 61, 61], [61, 61, 61]]


def test_the_search_of_transformers_is_one_argument_away(tiny_model: MakeModel) -> None:
    model = tiny_model(5)
    model.model.tokens.weight.data[END] *= 2
    theirs = generate(model, 3, 8, paper_search=False, length_penalty=3.0, max_new_tokens=9)
    direct = super(type(model), model).generate(
        torch.tensor([[4, 5, 6, 1, 1, 1, 1, 1], list(range(4, 12))]),
        attention_mask=torch.tensor([[1] * 3 + [0] * 5, [1] * 8]),
        num_beams=3,
        length_penalty=3.0,
        max_new_tokens=9,
    )
    assert torch.equal(theirs.sequences, direct)
    ours = generate(model, 3, 8, length_penalty=3.0, max_new_tokens=9)
    assert not torch.allclose(ours.sequences_scores, theirs.sequences_scores.double())  # the penalties are not the same


def test_greedy_and_sampling_stay_those_of_transformers(tiny_model: MakeModel) -> None:
    model = tiny_model()
    prefix = [START]
    for _ in range(6):
        with torch.no_grad():
            logits = model(torch.tensor([[4, 5, 6]]), decoder_input_ids=torch.tensor([prefix])).logits
        prefix.append(int(logits[0, -1].argmax()))
    assert generate(model, 3, num_beams=1, max_new_tokens=6).sequences[0].tolist() == prefix
    torch.manual_seed(0)
    sampled = generate(model, 3, num_beams=1, do_sample=True, num_return_sequences=5, max_new_tokens=6)
    assert len({tuple(row) for row in sampled.sequences.tolist()}) > 1


class TimeForTwo(MaxTimeCriteria):
    """Stops after two tokens, and counts on the rows of the whole batch."""

    def __call__(self, input_ids: Tensor, scores: Any, **_: Any) -> Tensor:  # noqa: ARG002  (called by name)
        assert len(input_ids) % 3 == 0
        return torch.full((len(input_ids),), input_ids.shape[1] >= 3)


def test_what_is_cut_off_for_its_time_counts_only_where_nothing_ended_by_itself(tiny_model: MakeModel) -> None:
    model, criteria = tiny_model(), StoppingCriteriaList([TimeForTwo(max_time=1e9)])
    cut = generate(model, 3, stopping_criteria=criteria, suppress_tokens=[END])
    assert cut.sequences.shape == (1, 3)

    def only_end_or_seven(_: Tensor, log_p: Tensor) -> Tensor:
        """The end is likely enough to be among the candidates, and never the best of them."""
        log_p[:] = float("-inf")
        log_p[:, 7], log_p[:, END] = -0.01, -9.0
        return log_p

    likely = LogitsProcessorList([only_end_or_seven])
    found = generate(model, 3, stopping_criteria=criteria, logits_processor=likely, length_penalty=0.0)
    assert found.sequences[0].tolist() == [START, END]


class EndsWith(StoppingCriteria):
    """Ends a hypothesis at a token."""

    def __init__(self, token: int) -> None:
        self.token = token

    def __call__(self, input_ids: Tensor, scores: Any, **_: Any) -> Tensor:  # noqa: ARG002  (called by name)
        return input_ids[:, -1] == self.token


@pytest.mark.parametrize("seed", range(8))
def test_what_a_criterion_ends_has_ended_as_by_an_end_symbol(tiny_model: MakeModel, seed: int) -> None:
    model = tiny_model(seed, vocab_size=9)
    asked: dict[str, Any] = {"num_return_sequences": 3, "max_new_tokens": 9}
    usual = generate(model, 2, 5, 3, **asked).sequences
    often = int(usual[:, 1:][usual[:, 1:] > END].mode().values)
    by_symbols = generate(model, 2, 5, 3, eos_token_id=[END, often], **asked)
    by_criterion = generate(model, 2, 5, 3, stopping_criteria=StoppingCriteriaList([EndsWith(often)]), **asked)
    both = EosTokenCriteria([END, often])
    of_the_user = generate(model, 2, 5, 3, stopping_criteria=StoppingCriteriaList([both]), **asked)
    assert by_symbols.sequences.tolist() != usual.tolist()
    for found in (by_criterion, of_the_user):
        assert found.sequences.tolist() == by_symbols.sequences.tolist()
        torch.testing.assert_close(found.sequences_scores, by_symbols.sequences_scores)


@pytest.mark.parametrize("kind", [bool, torch.tensor, lambda done: torch.tensor([done])])
def test_a_criterion_may_answer_for_all_hypotheses_at_once(tiny_model: MakeModel, kind: Callable[..., Any]) -> None:
    """As one of lm-eval does, and as the search of transformers takes it."""

    class Long(StoppingCriteria):
        def __call__(self, input_ids: Tensor, scores: Any, **kwargs: Any) -> Any:  # noqa: ARG002
            return kind(input_ids.shape[1] >= 5)

    output = generate(tiny_model(), 2, 9, 5, suppress_tokens=[END], stopping_criteria=StoppingCriteriaList([Long()]))
    assert output.sequences.shape == (3, 5)
    never = generate(tiny_model(), 2, 9, 5, stopping_criteria=StoppingCriteriaList([lambda *_: kind(False)]))
    assert torch.equal(never.sequences, generate(tiny_model(), 2, 9, 5).sequences)


@pytest.mark.parametrize(
    "asked",
    [
        {"penalty_alpha": 0.6, "top_k": 4},
        {"dola_layers": "high"},
        {"dola_layers": [0, 1]},
        {"diversity_penalty": 0.5},
        {"prompt_lookup_num_tokens": 3},
        {"assistant_early_exit": 1},
    ],
)
@pytest.mark.parametrize("where", ["the call", "a configuration", "the model's"])
def test_options_of_another_search_are_refused_rather_than_passed_over(
    tiny_model: MakeModel, asked: dict[str, Any], where: str
) -> None:
    model, name = tiny_model(), next(iter(asked))
    how: dict[str, Any] = asked if where == "the call" else {}
    if where == "a configuration":
        how = {"generation_config": GenerationConfig(num_beams=3, **asked)}
    if where == "the model's":
        model.generation_config.update(**asked)
    with pytest.raises(ValueError, match=rf"{name}=.* belongs to another search .* num_beams=1"):
        generate(model, 4, **how)


def test_a_limit_of_the_users_own_holds(tiny_model: MakeModel) -> None:
    own = StoppingCriteriaList([MaxLengthCriteria(5)])
    assert generate(tiny_model(), 3, 7, stopping_criteria=own, suppress_tokens=[END]).sequences.shape == (2, 5)


@pytest.mark.parametrize("where", ["call", "configuration"])
def test_stop_strings_end_a_translation(talker: MakeModel, toy_tokenizer: Any, where: str) -> None:
    model, source = talker(2), toy_tokenizer("what is this long line about then", return_tensors="pt")

    def text(**asked: Any) -> str:
        found = model.generate(**source, num_beams=4, length_penalty=0.6, suppress_tokens=[END], **asked)
        return str(toy_tokenizer.decode(found[0], skip_special_tokens=True))

    unstopped = text()
    stop = unstopped[2:4]
    if where == "call":
        stopped = text(stop_strings=[stop], tokenizer=toy_tokenizer)
    else:
        configuration = GenerationConfig(stop_strings=[stop])
        stopped = text(generation_config=configuration, tokenizer=toy_tokenizer)
        assert configuration.stop_strings == [stop]
    assert stop in stopped
    assert stop not in stopped[: -len(stop) - 3]  # a token may go on beyond the string
    assert len(stopped) < len(unstopped) // 2


def test_what_cannot_be_followed_is_refused(talker: MakeModel, toy_tokenizer: Any) -> None:
    model, source = talker(2), toy_tokenizer("the cat", return_tensors="pt")
    with pytest.raises(ValueError, match="streamer cannot follow a search with beams"):
        model.generate(**source, num_beams=2, streamer=TextStreamer(toy_tokenizer))
    with pytest.raises(ValueError, match="you must pass the model's tokenizer to the `tokenizer` argument"):
        model.generate(**source, num_beams=2, stop_strings=["a"])
    model.generation_config.stop_strings = ["a"]
    with pytest.raises(
        ValueError, match="is saved with stop_strings, which the paper's search takes only from the call"
    ):
        model.generate(**source, num_beams=2, tokenizer=toy_tokenizer)


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize(("how", "least"), [({"min_new_tokens": 70}, 70), ({"min_length": 71}, 70)])
def test_a_translation_that_has_to_be_longer_than_its_source_may_be_fifty_symbols_longer_still(
    tiny_model: MakeModel, beams: int, how: dict[str, int], least: int
) -> None:
    model = tiny_model()
    longest = generate(model, 3, num_beams=beams, **how, suppress_tokens=[END]).sequences
    assert longest.shape == (1, 1 + least + 50)
    model.model.tokens.weight.data[END] *= 9.0
    ended = generate(model, 3, 4, num_beams=beams, **how).sequences
    assert (ended[:, 1 : 1 + least] != END).all()
    assert 1 + least < ended.shape[1] < 1 + least + 50
    assert (ended == END).any(1).all()


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("prompt", [1, 3])
def test_learned_positions_end_a_translation(tiny_model: MakeModel, beams: int, prompt: int) -> None:
    """12 positions are read, and the token behind the last is written."""
    model = tiny_model(positions="learned", max_positions=12)
    given = {} if prompt == 1 else {"decoder_input_ids": torch.tensor([[START, 8, 9]])}
    assert generate(model, 3, num_beams=beams, suppress_tokens=[END], **given).sequences.shape == (1, 13)


@pytest.mark.parametrize("beams", [1, 3])
def test_sources_padded_on_the_left_are_refused(tiny_model: MakeModel, beams: int) -> None:
    model, input_ids = tiny_model(), torch.tensor([[1, 7, 8, END], [5, 6, 7, END]])
    with pytest.raises(ValueError, match=r"padded on its left, .* tokenizer\.padding_side = 'right'"):
        model.generate(input_ids, attention_mask=(input_ids != 1).long(), num_beams=beams)
    with pytest.raises(ValueError, match="padded on its left"):  # told by the ids, as `generate` itself does
        model.generate(input_ids, num_beams=beams)


@pytest.mark.parametrize("beams", [1, 3])
def test_prompts_padded_on_the_left_are_refused(tiny_model: MakeModel, beams: int) -> None:
    prompts = torch.tensor([[1, START, 8], [START, 8, 9]])
    with pytest.raises(ValueError, match="a prompt of the decoder is padded on its left"):
        generate(tiny_model(), 3, 4, num_beams=beams, decoder_input_ids=prompts,
                 decoder_attention_mask=(prompts != 1).long())  # fmt: skip


def test_what_is_forbidden_is_not_returned_where_more_is_asked_for_than_there_is(tiny_model: MakeModel) -> None:
    def allowed(_: int, tokens: Tensor) -> list[int]:
        return [8] if len(tokens) < 3 else [END]

    found = generate(tiny_model(), 3, 4, num_beams=4, num_return_sequences=3, prefix_allowed_tokens_fn=allowed)
    assert found.sequences.tolist() == 2 * [[START, 8, 8, END], [START, 1, 1, 1], [START, 1, 1, 1]]
    assert (found.sequences_scores > NEVER).tolist() == 2 * [True, False, False]
    assert (found.beam_indices[found.sequences_scores == NEVER] == -1).all()


@pytest.mark.parametrize("beams", [1, 3])
def test_settings_are_taken_by_place_and_the_limit_by_its_name_where_none_is_saved(
    tiny_model: MakeModel, beams: int
) -> None:
    model, source = tiny_model(), torch.tensor([[7, 8, END]])
    assert not hasattr(model.generation_config, "extra_tokens")
    given = GenerationConfig(num_beams=beams, suppress_tokens=[END], pad_token_id=1, decoder_start_token_id=START)
    assert model.generate(source, given).shape == (1, 1 + 3 + 50)
    assert model.generate(source, given, extra_tokens=4).shape == (1, 1 + 3 + 4)
    assert model.generate(source, num_beams=beams, suppress_tokens=[END], extra_tokens=4).shape == (1, 1 + 3 + 4)


def test_a_beam_wider_than_the_vocabulary_finds_every_hypothesis_there_is(tiny_model: MakeModel) -> None:
    """With all 5^3 continuations kept, the search is exhaustive."""
    model = tiny_model(3, vocab_size=5)
    log_p_of = probabilities(model, torch.tensor([4, 4]))
    output = model.generate(
        torch.tensor([[4, 4]]),
        num_beams=80,
        num_return_sequences=20,
        length_penalty=0.6,
        max_new_tokens=3,
        return_dict_in_generate=True,
        output_scores=True,
    )
    every = []
    for length in range(1, 4):
        for body in itertools.product([0, 1, 2, 4], repeat=length - 1):
            tokens = (*body, END)
            log_p = sum(log_p_of(tokens[:i])[token] for i, token in enumerate(tokens))
            every.append((gnmt(log_p, length, 0.6), tokens))
    every.sort(reverse=True)
    assert translations(output, 20)[0] == [tokens for _, tokens in every[:20]]


def test_attentions_are_refused_with_the_way_to_get_them(tiny_model: MakeModel) -> None:
    with pytest.raises(ValueError, match="get them by a forward pass"):
        generate(tiny_model(), 3, output_attentions=True)
