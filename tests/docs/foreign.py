"""Stand-ins for the packages of others that docs/guide/models-of-others.md sends models of: the same interfaces.

Small, untrained, and as awkward as the originals: what their networks keep between pictures, print, hand back in
another shape or move to a GPU by themselves, these do too.
"""

from pathlib import Path

KAIRA = {
    "kaira/__init__.py": "",
    "kaira/channels.py": """
from torch import nn


class AWGNChannel(nn.Module):
    def __init__(self, avg_noise_power=None, snr_db=None):
        super().__init__()
        self.snr_db = snr_db
""",
    "kaira/constraints.py": """
from torch import nn


class AveragePowerConstraint(nn.Module):
    def __init__(self, average_power):
        super().__init__()
        self.average_power = average_power

    def forward(self, x, *args, **kwargs):
        return x * (self.average_power / x.square().mean((1, 2, 3), keepdim=True)).sqrt()
""",
    "kaira/models/__init__.py": """
from torch import nn


class DeepJSCCModel(nn.Module):
    def __init__(self, encoder, constraint, channel, decoder):
        super().__init__()
        self.encoder, self.constraint, self.channel, self.decoder = encoder, constraint, channel, decoder
""",
    "kaira/models/image.py": """
import torch
from torch import nn


class Tung2022DeepJSCCQ2Encoder(nn.Module):
    def __init__(self, N, M, in_ch=3, csi_length=1, *args, **kwargs):
        super().__init__()
        self.g_a = nn.Sequential(nn.Conv2d(in_ch, N, 4, 4), nn.PReLU(), nn.Conv2d(N, M, 1))
        self.af = nn.Linear(csi_length, M)

    def forward(self, x, csi, *args, **kwargs):
        return self.g_a(x) * torch.sigmoid(self.af(csi.view(len(x), 1) / 100))[:, :, None, None]


class Tung2022DeepJSCCQ2Decoder(nn.Module):
    def __init__(self, N, M, out_ch=3, csi_length=1, *args, **kwargs):
        super().__init__()
        self.g_s = nn.Sequential(nn.Conv2d(M, N, 1), nn.PReLU(), nn.ConvTranspose2d(N, out_ch, 4, 4))
        self.af = nn.Linear(csi_length, out_ch)

    def forward(self, x, csi, *args, **kwargs):
        return self.g_s(x).sigmoid() * torch.sigmoid(self.af(csi.view(len(x), 1) / 100))[:, :, None, None]
""",
}

DEEP_JSCC_PYTORCH = {
    "model.py": """
import torch
from channel import Channel
from torch import nn


class _Encoder(nn.Module):
    def __init__(self, c=1):
        super().__init__()
        self.conv5 = nn.Conv2d(3, 2 * c, 4, 4)

    def forward(self, x):
        x = self.conv5(x)
        x = x / x.square().mean((1, 2, 3), keepdim=True).sqrt()
        return x.squeeze(0) if len(x) == 1 else x


class _Layer(nn.Module):
    def __init__(self, inner, outer, kernel, activate=nn.PReLU()):
        super().__init__()
        self.transconv, self.activate = nn.ConvTranspose2d(inner, outer, kernel, kernel), activate

    def forward(self, x):
        return self.activate(self.transconv(x))


class _Decoder(nn.Module):
    def __init__(self, c=1):
        super().__init__()
        self.tconv1, self.tconv2 = _Layer(2 * c, 16, 1), _Layer(16, 3, 4, activate=nn.Sigmoid())

    def forward(self, x):
        return self.tconv2(self.tconv1(x))


class DeepJSCC(nn.Module):
    def __init__(self, c, channel_type="AWGN", snr=None):
        super().__init__()
        self.encoder, self.decoder = _Encoder(c), _Decoder(c)
        self.channel = Channel() if snr is not None else None

    def forward(self, x):
        return self.decoder(self.encoder(x)[None] if len(x) == 1 else self.encoder(x))
""",
    "channel.py": "from torch.nn import Identity as Channel\n",
}

SWINJSCC = {
    "net/encoder.py": """
import torch
from torch import nn


class SwinJSCC_Encoder(nn.Module):
    def __init__(self, model, img_size, patch_size, in_chans, embed_dims, depths, num_heads, C, window_size=4):
        super().__init__()
        print("Encoder ", embed_dims, depths, num_heads)
        self.patch_embed = nn.Conv2d(in_chans, embed_dims[-1], 16, 16)
        self.sm_list = nn.Linear(2, embed_dims[-1])
        self.window_size = window_size
        self.update_resolution(*img_size)

    def update_resolution(self, H, W):
        assert H % (16 * self.window_size) == 0 and W % (16 * self.window_size) == 0
        self.resolution = (H, W)

    def forward(self, x, snr, rate, model):
        assert self.resolution == x.shape[2:] and model == "SwinJSCC_w/_SAandRA"
        x = self.patch_embed(x).flatten(2).transpose(1, 2)
        known = torch.tensor([snr / 10, rate / 320], dtype=torch.float).to(x.get_device())
        mod_val = torch.sigmoid(self.sm_list(known) + x.mean(1, keepdim=True))
        chosen = mod_val.sum(1).sort(dim=1, descending=True)[1][:, :rate].cuda()
        mask = torch.zeros(len(x), x.shape[2]).cuda().scatter(1, chosen, 1.0)[:, None].expand_as(x)
        return x * mod_val * mask, mask


def create_encoder(**kwargs):
    return SwinJSCC_Encoder(**kwargs)
""",
    "net/decoder.py": """
import torch
from torch import nn


class SwinJSCC_Decoder(nn.Module):
    def __init__(self, model, img_size, embed_dims, depths, num_heads, C, window_size=4):
        super().__init__()
        print("Decoder ", embed_dims, depths, num_heads)
        self.bm_list = nn.Linear(1, embed_dims[0])
        self.layers = nn.ConvTranspose2d(embed_dims[0], 3, 16, 16)
        self.update_resolution(img_size[0] // 16, img_size[1] // 16)

    def update_resolution(self, H, W):
        self.H, self.W = H, W

    def forward(self, x, snr, model):
        B, L, C = x.size()
        assert L == self.H * self.W and model == "SwinJSCC_w/_SAandRA"
        snr = torch.tensor(snr, dtype=torch.float).to(x.get_device()).unsqueeze(0).expand(B, -1)
        x = x * torch.sigmoid(self.bm_list(snr / 10))[:, None]
        return self.layers(x.permute(0, 2, 1).reshape(B, C, self.H, self.W)).sigmoid()


def create_decoder(**kwargs):
    return SwinJSCC_Decoder(**kwargs)
""",
}


def lay(folder: Path, files: dict[str, str]) -> None:
    """Writes the files of a stand-in."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
