"""The network: convolutions that shrink the picture, attention over all of it, convolutions that grow it again."""

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTHS = (16, 32, 64, 128)
"""Channels at 1/2, 1/4, 1/8 and 1/16 of the size of the picture."""

_CHANNELS_OF_A_GROUP = 8
_AROUND = 9
_LEAST_SPREAD = 0.02


def _convolved(inputs: int, outputs: int, *, side: int = 3, stride: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, side, stride, side // 2, bias=False)
    return nn.Sequential(convolution, _norm(outputs), nn.ReLU())


def _norm(channels: int) -> nn.GroupNorm:
    """Each picture is brought to its own mean and spread: those of drawn scenes are not those of photographs."""
    return nn.GroupNorm(max(1, channels // _CHANNELS_OF_A_GROUP), channels)


class Residual(nn.Module):
    """Two convolutions whose result is added to what they were given."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _convolved(channels, channels)
        self.second = nn.Sequential(nn.Conv2d(channels, channels, 3, 1, 1, bias=False), _norm(channels))
        nn.init.zeros_(self.second[1].weight)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.second(self.first(x)))


class Attention(nn.Module):
    """Lets each place ask all others: where walls end decides how far away they are."""

    def __init__(self, channels: int, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.before, self.between = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.asked, self.joined = nn.Linear(channels, channels * 3), nn.Linear(channels, channels)
        self.mixed = nn.Sequential(nn.Linear(channels, channels * 2), nn.GELU(), nn.Linear(channels * 2, channels))

    def forward(self, x: Tensor) -> Tensor:
        places = x.flatten(2).transpose(1, 2)
        places = places + self._attended(self.before(places))
        places = places + self.mixed(self.between(places))
        return places.transpose(1, 2).reshape(x.shape)

    def _attended(self, places: Tensor) -> Tensor:
        batch, count, channels = places.shape
        split = self.asked(places).reshape(batch, count, 3, self.heads, channels // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4).unbind(0)
        weights = (query @ key.transpose(-1, -2) * (channels // self.heads) ** -0.5).softmax(-1)
        return self.joined((weights @ value).transpose(1, 2).reshape(batch, count, channels))


class DepthNetwork(nn.Module):
    """Corrects what the cues see: relative inverse depth of a picture.

    Takes a picture, n x 3 x height x width, 0 to 1, sides multiples of 16, and what the cues see in it, n x 1 x height
    x width, 0 to 1; gives n x 1 x height x width, larger is nearer, not negative, without unit. Untrained, it gives
    the order of the cues.
    """

    def __init__(self, widths: tuple[int, int, int, int] = WIDTHS) -> None:
        super().__init__()
        half, quarter, eighth, sixteenth = widths
        self.to_half = _convolved(7, half, stride=2)
        self.to_quarter = nn.Sequential(_convolved(half, quarter, stride=2), _convolved(quarter, quarter))
        self.to_eighth = nn.Sequential(_convolved(quarter, eighth, stride=2), Residual(eighth), Residual(eighth))
        self.to_sixteenth = nn.Sequential(
            _convolved(eighth, sixteenth, stride=2), Residual(sixteenth), Residual(sixteenth)
        )
        self.place = nn.Conv2d(6, sixteenth, 1)
        self.attention = nn.Sequential(Attention(sixteenth), Attention(sixteenth), Attention(sixteenth))
        self.at_eighth = _Joined(sixteenth, eighth, eighth)
        self.at_quarter = _Joined(eighth, quarter, quarter)
        self.at_half = _Joined(quarter, half, half)
        self.out = nn.Conv2d(half, 1, 3, 1, 1)
        self.trust = nn.Parameter(torch.tensor(3.0))
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, image: Tensor, cues: Tensor) -> Tensor:
        return functional.interpolate(self.half(image, cues), scale_factor=2.0, mode="bilinear")

    def half(self, image: Tensor, cues: Tensor) -> Tensor:
        """Give the same map at half the size."""
        half = self.to_half(torch.cat([_evened(image), cues * 2 - 1, _positions(image)], 1))
        quarter = self.to_quarter(_restyled(half) if self.training else half)
        eighth = self.to_eighth(quarter)
        sixteenth = self.to_sixteenth(eighth)
        seen = self.attention(sixteenth + self.place(_waves(_positions(sixteenth))))
        x = self.at_eighth(seen, eighth)
        x = self.at_half(self.at_quarter(x, quarter), half)
        return functional.softplus(self.out(x) + self.trust * (functional.avg_pool2d(cues, 2) - 0.5))


def _restyled(features: Tensor) -> Tensor:
    """Give half of the pictures the mean and spread of another's features (MixStyle, Zhou et al. 2021).

    They are what drawn surfaces and those in photographs differ in most.
    """
    count, there = len(features), features.device
    other = torch.randperm(count, device=there)
    mean = features.mean((2, 3), keepdim=True).detach()
    spread = features.std((2, 3), keepdim=True).detach() + _LEAST_SPREAD
    # Only the features learn from this, not the styles that are lent.
    share = torch.rand(count, 1, 1, 1, device=there) * (torch.rand(count, 1, 1, 1, device=there) < 0.5)
    new_mean = mean + share * (mean[other] - mean)
    new_spread = spread + share * (spread[other] - spread)
    return (features - mean) / spread * new_spread + new_mean


def _evened(image: Tensor) -> Tensor:
    """Bring a picture to mean 0 and spread 1, and tell beside it how light each place is against its surroundings."""
    middle = image.mean((1, 2, 3), keepdim=True)
    spread = (image - middle).square().mean((1, 2, 3), keepdim=True).sqrt()
    light = image.mean(1, keepdim=True)
    off = light - _around(light)
    local = off / (_around(off.square()).sqrt() + _LEAST_SPREAD)
    return torch.cat([(image - middle) / (spread + _LEAST_SPREAD), local], 1)


def _around(values: Tensor) -> Tensor:
    return functional.avg_pool2d(values, _AROUND, 1, _AROUND // 2, count_include_pad=False)


class _Joined(nn.Module):
    """Doubles a map and joins it with what was seen at that size on the way down."""

    def __init__(self, coarse: int, fine: int, outputs: int) -> None:
        super().__init__()
        self.coarse, self.fine = nn.Conv2d(coarse, outputs, 1, bias=False), nn.Conv2d(fine, outputs, 1, bias=False)
        self.norm, self.mixed = _norm(outputs), _convolved(outputs, outputs)

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        grown = functional.interpolate(self.coarse(coarse), scale_factor=2.0, mode="bilinear")
        return self.mixed(functional.relu(self.norm(grown + self.fine(fine))))


def _positions(image: Tensor) -> Tensor:
    """Height and breadth of each place, -1 to 1, n x 2 x height x width; told so that it exports for every size."""
    ones = torch.ones_like(image[:, :1])
    down, across = ones.cumsum(2), ones.cumsum(3)
    return torch.cat([(down - 0.5) / down[:, :, -1:], (across - 0.5) / across[:, :, :, -1:]], 1) * 2 - 1


def _waves(positions: Tensor) -> Tensor:
    turns = positions * torch.pi
    return torch.cat([positions, turns.sin(), turns.cos()], 1)
