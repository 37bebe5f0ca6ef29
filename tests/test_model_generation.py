"""Every way to generate that transformers knows, with all that it can be asked to report; and compiled decoding."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

MakeModel = Callable[..., Any]  # VaswaniForConditionalGeneration, less the types that transformers gives its methods
MakeBatch = Callable[..., dict[str, Tensor]]

B, S, NEW, V, D, LAYERS = 3, 7, 5, 29, 16, 3
MODES: dict[str, dict[str, Any]] = {
    "greedy": {},
    "sampling": {"do_sample": True, "top_k": 5, "temperature": 0.7},
    "beams": {"num_beams": 4, "paper_search": False},
    "beams, several": {"num_beams": 4, "num_return_sequences": 2, "paper_search": False},
    "beams, sampled": {"num_beams": 2, "do_sample": True},
}


def source(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: batch[name] for name in ("input_ids", "attention_mask")}


@pytest.mark.parametrize("use_cache", [True, False])
@pytest.mark.parametrize("mode", MODES)
def test_every_mode_reports_what_it_is_asked_for(
    tiny_model: MakeModel, padded_batch: MakeBatch, mode: str, use_cache: bool
) -> None:
    """All shapes, and that the reported scores are those of the sequences."""
    model, asked = tiny_model(), MODES[mode]
    beams, wanted = asked.get("num_beams", 1), asked.get("num_return_sequences", 1)
    torch.manual_seed(0)
    output = model.generate(
        **source(padded_batch()),
        **asked,
        use_cache=use_cache,
        min_new_tokens=NEW,
        max_new_tokens=NEW,
        return_dict_in_generate=True,
        output_scores=True,
        output_logits=True,
        output_attentions=True,
        output_hidden_states=True,
    )
    kind = "GenerateBeamEncoderDecoderOutput" if beams > 1 else "GenerateEncoderDecoderOutput"
    assert type(output).__name__ == kind
    assert output.sequences.shape == (B * wanted, 1 + NEW)
    for steps in (output.scores, output.logits):
        assert [step.shape for step in steps] == [(B * beams, V)] * NEW
    rows = B * beams
    assert [states.shape for states in output.encoder_hidden_states] == [(B, S, D)] * 3
    assert [weights.shape for weights in output.encoder_attentions] == [(B, 2, S, S)] * 2
    for step, (states, own, cross) in enumerate(
        zip(output.decoder_hidden_states, output.decoder_attentions, output.cross_attentions, strict=True)
    ):
        length = 1 if use_cache else 1 + step
        assert [each.shape for each in states] == [(rows, length, D)] * (1 + LAYERS)
        assert [each.shape for each in own] == [(rows, 2, length, 1 + step)] * LAYERS
        assert [each.shape for each in cross] == [(rows, 2, length, S)] * LAYERS
    assert (output.past_key_values is not None) == use_cache
    steps = model.compute_transition_scores(
        output.sequences, output.scores, getattr(output, "beam_indices", None), normalize_logits=beams == 1
    )
    assert steps.shape == (B * wanted, NEW)
    if beams > 1 and not asked.get("do_sample"):
        torch.testing.assert_close(steps.sum(1) / NEW, output.sequences_scores)  # its length penalty is 1
    if beams == 1 and not asked:
        expected = greedy_log_p(model, padded_batch(), output.sequences)
        torch.testing.assert_close(steps.to(expected), expected, rtol=1e-5, atol=1e-5)  # generate keeps float32


def greedy_log_p(model: Any, batch: dict[str, Tensor], sequences: Tensor) -> Tensor:
    """Log-probabilities of a sequence by one forward pass, the end token ruled out as by min_new_tokens."""
    with torch.no_grad():
        logits = model(**source(batch), decoder_input_ids=sequences[:, :-1]).logits
    logits[:, :, 3] = -torch.inf
    log_p: Tensor = logits.log_softmax(-1).gather(2, sequences[:, 1:, None])[:, :, 0]
    return log_p


def test_an_assistant_changes_the_speed_and_not_the_translation(tiny_model: MakeModel, padded_batch: MakeBatch) -> None:
    """Speculative decoding: another network of the same vocabulary proposes, this one accepts or corrects."""
    model, assistant = tiny_model(), tiny_model(seed=1, encoder_layers=1, decoder_layers=1)
    one = {name: tensor[:1] for name, tensor in source(padded_batch()).items()}
    asked = {"max_new_tokens": 12, "do_sample": False, "suppress_tokens": [3], "repetition_penalty": 3.0}
    expected = model.generate(**one, **asked)
    assert len(expected[0].unique()) > 2
    assert torch.equal(model.generate(**one, assistant_model=assistant, **asked), expected)


@pytest.mark.parametrize("beams", [1, 3])
def test_ids_embeddings_and_an_encoded_source_generate_alike(
    tiny_model: MakeModel, padded_batch: MakeBatch, beams: int
) -> None:
    model, batch = tiny_model(), padded_batch()
    mask, asked = {"attention_mask": batch["attention_mask"]}, {"num_beams": beams, "max_new_tokens": 8}
    expected = model.generate(batch["input_ids"], **mask, **asked)
    embeddings = model.get_input_embeddings()(batch["input_ids"])
    assert torch.equal(model.generate(inputs_embeds=embeddings, **mask, **asked), expected)
    encoded = model.get_encoder()(batch["input_ids"], **mask)
    assert torch.equal(model.generate(encoder_outputs=encoded, **mask, **asked), expected)


def test_a_translation_goes_on_from_a_prompt_and_from_a_cache(tiny_model: MakeModel, padded_batch: MakeBatch) -> None:
    """What was generated in two calls, the second with the cache of the first, is what one call generates."""
    model, batch = tiny_model(), padded_batch()
    asked = {**source(batch), "min_new_tokens": 1, "suppress_tokens": [3], "return_dict_in_generate": True}
    whole = model.generate(**asked, max_new_tokens=9).sequences
    first = model.generate(**asked, max_new_tokens=4)
    rest = model.generate(
        **asked, decoder_input_ids=first.sequences, past_key_values=first.past_key_values, max_new_tokens=5
    )
    assert torch.equal(rest.sequences, whole)
    again = model.generate(**asked, decoder_input_ids=first.sequences, max_new_tokens=5)
    assert torch.equal(again.sequences, whole)


@pytest.mark.slow
def test_decoding_compiled_over_a_static_cache_gives_the_same_translation(
    tiny_model: MakeModel, padded_batch: MakeBatch
) -> None:
    """The whole forward pass in one graph, without breaks, and no new graph for each step."""
    torch._dynamo.reset()
    model, batch = tiny_model(attention="sdpa", encoder_layers=1, decoder_layers=1).float(), padded_batch()
    asked = {**source(batch), "max_new_tokens": 8, "suppress_tokens": [3]}
    expected = model.generate(**asked)
    eager = model.forward
    model.forward = torch.compile(eager, fullgraph=True, dynamic=True, backend="aot_eager")
    torch._dynamo.utils.counters.clear()
    found = model.generate(**asked, cache_implementation="static", disable_compile=True)
    graphs = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    assert torch.equal(found, expected)
    assert 1 <= graphs <= 4


def test_weights_of_another_vocabulary_are_drawn_anew_only_on_request(tiny_model: MakeModel, tmp_path: Any) -> None:
    model = tiny_model()
    model.save_pretrained(tmp_path)
    kind = type(model)
    with pytest.raises(RuntimeError, match=r"size mismatch|mismatched"):
        kind.from_pretrained(tmp_path, vocab_size=40)
    loaded, report = kind.from_pretrained(
        tmp_path, vocab_size=40, ignore_mismatched_sizes=True, output_loading_info=True
    )
    assert {each[0] for each in report["mismatched_keys"]} == {"model.tokens.weight"}
    assert loaded.get_input_embeddings().weight.shape == (40, D)
    name = "model.encoder.layers.0.feed_forward.w_1.weight"
    assert torch.equal(loaded.get_parameter(name), model.get_parameter(name))


def test_built_on_meta_nothing_is_allocated_and_every_parameter_is_learned(tiny_model: MakeModel) -> None:
    config = tiny_model().config
    with torch.device("meta"):
        model = type(tiny_model())(config)
    assert {tensor.device.type for tensor in [*model.parameters(), *model.buffers()]} == {"meta"}
    fresh = tiny_model()
    ids = torch.randint(4, V, (2, 6))
    fresh.train()(input_ids=ids, labels=ids).loss.backward()
    assert {name for name, each in fresh.named_parameters() if each.grad is None or not each.grad.any()} == set()
