"""Self-attention within windows, every other block with its windows shifted (Liu et al. 2021, "Swin Transformer")."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gr_jscc.nn.tiles import Stage, by_tiles

MOST_SIDE = 16  # of a window: each attention holds a table of its fourth power


class WindowAttention(nn.Module):
    """Multi-head self-attention among the positions of a window, with a learned bias for every relative place.

    Args:
        channels: C of [B, C, H, W]; H and W are any.
        inner: channels of queries, keys and values, over all heads.
        heads: divides ``inner``.
        window: positions of a window's side.
        shift: places by which the windows are moved down and right, at most half of ``window``.

    Example:
        >>> import torch
        >>> WindowAttention(channels=8, inner=8, heads=2, window=4, shift=0)(torch.ones(1, 8, 8, 8)).shape
        torch.Size([1, 8, 8, 8])
    """

    def __init__(self, channels: int, inner: int, heads: int, window: int, shift: int) -> None:
        super().__init__()
        if inner % heads or window > MOST_SIDE:
            raise ValueError(f"{heads} heads must divide {inner} channels, and a window's side be at most {MOST_SIDE}")
        self.heads, self.window, self.shift = heads, window, shift
        self.inputs = nn.Linear(channels, 3 * inner)
        self.output = nn.Linear(inner, channels)
        self.bias = nn.Parameter(torch.zeros(heads, (2 * window - 1) ** 2))
        side = torch.arange(window, device="cpu")
        place = torch.stack(torch.meshgrid(side, side, indexing="ij")).flatten(1)
        apart = place[:, :, None] - place[:, None, :] + window - 1
        self.register_buffer("relative", apart[0] * (2 * window - 1) + apart[1], persistent=False)
        nn.init.zeros_(self.output.weight)  # a fresh block is the identity
        nn.init.zeros_(self.output.bias)

    @property
    def reach(self) -> int:
        """Positions around a part, whose edges are at multiples of the window, up to the edges of its windows."""
        return self.window - self.shift if self.shift else 0

    def grown(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Tensors of a narrower attention with as many heads, each head filled up with what has no effect yet."""
        if "inputs.weight" not in tensors:
            return {}
        wide, narrow = len(self.inputs.bias) // 3, len(tensors["inputs.bias"]) // 3
        if wide == narrow:
            return {}

        def spread(old: Tensor, new: Tensor, parts: int) -> Tensor:
            """Rows of ``parts × heads × channels``, the old ones first within each head."""
            rows = new.detach().clone().unflatten(0, (parts, self.heads, -1))
            rows[:, :, : narrow // self.heads] = old.unflatten(0, (parts, self.heads, -1)).to(rows.dtype)
            return rows

        inputs, bias = (spread(tensors[f"inputs.{key}"], getattr(self.inputs, key), 3) for key in ("weight", "bias"))
        inputs[1, :, narrow // self.heads :] = 0  # keys: a new channel changes no score until it is trained
        bias[1, :, narrow // self.heads :] = 0
        inputs[0] *= (wide / narrow) ** 0.5  # queries: scores are divided by the root of a head's channels
        bias[0] *= (wide / narrow) ** 0.5
        output = spread(tensors["output.weight"].T, torch.zeros_like(self.output.weight.T), 1)
        return {
            "inputs.weight": inputs.flatten(0, 2), "inputs.bias": bias.flatten(),
            "output.weight": output.flatten(0, 2).T,
        }  # fmt: skip

    def forward(self, x: Tensor, begin: tuple[int, int] = (0, 0)) -> Tensor:
        """[B, H, W, C] → the same shape; ``begin``: the picture's row and column at which this part of it begins."""
        count, height, width, _ = x.shape
        side = self.window
        # Windows are shifted by padding in front; no position ever sees the opposite edge of the picture.
        above, left = ((at - self.shift) % side if height > side or width > side else 0 for at in begin)
        below, right = -(height + above) % side, -(width + left) % side
        inputs = F.pad(self.inputs(x), (0, 0, left, right, above, below))
        rows, columns = inputs.shape[1] // side, inputs.shape[2] // side
        inputs = inputs.reshape(count, rows, side, columns, side, 3, self.heads, -1)
        query, key, value = inputs.permute(5, 0, 1, 3, 6, 2, 4, 7).reshape(
            3, count * rows * columns, self.heads, side * side, -1
        )
        bias = self.bias[:, self.relative][None].to(query.dtype)
        if above or left or below or right:
            real = F.pad(torch.ones(height, width, device=x.device), (left, right, above, below))
            real = real.reshape(rows, side, columns, side).transpose(1, 2).reshape(-1, 1, 1, side * side)
            bias = (bias + torch.where(real > 0, 0.0, -1e4).to(query.dtype)).repeat(count, 1, 1, 1)
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=bias.expand(len(query), -1, -1, -1))
        mixed = mixed.reshape(count, rows, columns, self.heads, side, side, -1).permute(0, 1, 4, 2, 5, 3, 6)
        mixed = mixed.reshape(count, rows * side, columns * side, -1)
        return self.output(mixed[:, above : above + height, left : left + width])


class WindowBlock(nn.Module):
    """Attention and a two-layer perceptron, each around a shortcut and behind a layer normalisation.

    Args:
        channels, inner, heads, window, shift: as `WindowAttention`.
        hidden: channels inside the perceptron.

    Example:
        >>> import torch
        >>> block = WindowBlock(channels=8, inner=8, heads=2, window=4, shift=2, hidden=16)
        >>> block(torch.ones(1, 6, 10, 8)).shape
        torch.Size([1, 6, 10, 8])
    """

    def __init__(self, channels: int, inner: int, heads: int, window: int, shift: int, hidden: int) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(channels)
        self.attention = WindowAttention(channels, inner, heads, window, shift)
        self.norm = nn.LayerNorm(channels)
        self.expand = nn.Linear(channels, hidden)
        self.reduce = nn.Linear(hidden, channels)
        nn.init.zeros_(self.reduce.weight)
        nn.init.zeros_(self.reduce.bias)

    def forward(self, x: Tensor, begin: tuple[int, int] = (0, 0)) -> Tensor:
        """[B, H, W, C] → the same shape; ``begin`` as of `WindowAttention`."""
        x = x + self.attention(self.attention_norm(x), begin)
        return x + self.reduce(F.gelu(self.expand(self.norm(x))))


class WindowBlocks(nn.Module):
    """Blocks in sequence, the second, fourth … with windows shifted by half; [B, C, H, W] → the same shape.

    Args:
        channels, inner, heads, window, hidden: of every `WindowBlock`.
        blocks: how many.
        shifted: whether the first one is shifted already.

    Example:
        >>> import torch
        >>> blocks = WindowBlocks(channels=8, blocks=2, inner=8, heads=2, window=4, hidden=16)
        >>> [block.attention.shift for block in blocks.blocks]
        [0, 2]
        >>> blocks(torch.ones(1, 8, 6, 10)).shape
        torch.Size([1, 8, 6, 10])
    """

    def __init__(
        self, channels: int, blocks: int, inner: int, heads: int, window: int, hidden: int, shifted: bool = False
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            WindowBlock(channels, inner, heads, window, window // 2 if (i + shifted) % 2 else 0, hidden)
            for i in range(blocks)
        )

    @property
    def reach(self) -> int:
        """Positions around a part, whose edges are at multiples of the window, on which it depends."""
        reach = 0
        for attention in (block.attention for block in reversed(self.blocks)):
            reach = attention.reach + max(0, -(-(reach - attention.reach) // attention.window)) * attention.window
        return reach

    def forward(self, x: Tensor, begin: tuple[int, int] = (0, 0)) -> Tensor:
        if not self.blocks:
            return x

        def run(block: WindowBlock, x: Tensor, begin_of_tile: tuple[int, int]) -> Tensor:
            at = begin[0] + begin_of_tile[0], begin[1] + begin_of_tile[1]
            return block(x.permute(0, 2, 3, 1), at).permute(0, 3, 1, 2)

        stages = [
            Stage(lambda x, begin, block=block: run(block, x, begin), block.attention.reach, placed=True)
            for block in self.blocks
        ]
        first = self.blocks[0]
        values = max(x.shape[1], first.attention.inputs.out_features, first.expand.out_features)
        return by_tiles(stages, [x], values, first.attention.window)
