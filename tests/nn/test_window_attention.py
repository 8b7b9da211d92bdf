"""Window attention against attention written out position by position."""

import pytest
import torch

from gr_jscc.nn.window_attention import WindowAttention, WindowBlocks

pytestmark = pytest.mark.timeout(60)


def written_out(layer: WindowAttention, x: torch.Tensor) -> torch.Tensor:
    """The same for float32[H, W, C], one query at a time."""
    height, width, _ = x.shape
    heads, side = layer.heads, layer.window
    query, key, value = layer.inputs(x).reshape(height, width, 3, heads, -1).unbind(2)
    front = (side - layer.shift) % side if max(height, width) > side else 0
    rows = []
    for r in range(height):
        for c in range(width):
            group = [
                (i, j)
                for i in range(height)
                for j in range(width)
                if (i + front) // side == (r + front) // side and (j + front) // side == (c + front) // side
            ]
            heads_out = []
            for h in range(heads):
                scores = [
                    (query[r, c, h] @ key[i, j, h]) / query.shape[-1] ** 0.5
                    + layer.bias[h, (r - i + side - 1) * (2 * side - 1) + c - j + side - 1]
                    for i, j in group
                ]
                weights = torch.softmax(torch.stack(scores), 0)
                heads_out.append(sum(w * value[i, j, h] for w, (i, j) in zip(weights, group)))
            rows.append(layer.output(torch.cat(heads_out)))
    return torch.stack(rows).reshape(height, width, -1)


@pytest.mark.parametrize(
    ("size", "shift"), [((4, 4), 0), ((8, 4), 2), ((5, 7), 0), ((6, 9), 2), ((1, 3), 2), ((1, 1), 0)]
)
def test_every_position_attends_to_its_window(size, shift):
    torch.manual_seed(1)
    layer = WindowAttention(channels=6, inner=4, heads=2, window=4, shift=shift)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter)
    x = torch.randn(2, *size, 6)
    with torch.inference_mode():
        expected = torch.stack([written_out(layer, image) for image in x])
        assert torch.allclose(layer(x), expected, atol=1e-4)


def test_a_fresh_stack_is_the_identity_and_alternates_its_shift():
    blocks = WindowBlocks(channels=8, blocks=3, inner=8, heads=2, window=4, hidden=16)
    x = torch.randn(1, 8, 9, 5)
    assert torch.equal(blocks(x), x)
    assert [block.attention.shift for block in blocks.blocks] == [0, 2, 0]


@pytest.mark.parametrize("shifted", [False, True])
@pytest.mark.parametrize("count", [1, 2, 3, 4])
@pytest.mark.parametrize("window", [4, 5])
def test_a_part_depends_on_what_is_within_reach_and_on_no_less(window, count, shifted):
    torch.manual_seed(1)
    blocks = WindowBlocks(4, count, inner=4, heads=1, window=window, hidden=4, shifted=shifted).eval()
    for parameter in blocks.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    size, begin, end, reach = 12 * window, 5 * window, 7 * window, blocks.reach
    x = torch.randn(1, 4, size, size)

    def of_part(rim):
        part = slice(begin - rim, end + rim)
        with torch.inference_mode():
            return blocks(x[:, :, part, part], begin=(begin - rim,) * 2)[:, :, rim : rim + end - begin][
                ..., rim : rim + end - begin
            ]

    with torch.inference_mode():
        whole = blocks(x)[:, :, begin:end, begin:end]
    assert torch.allclose(of_part(reach), whole, atol=1e-5)
    assert reach == 0 or not torch.allclose(of_part(reach - 1), whole, atol=2e-5)
