#include "noise.hpp"

#include <cmath>

namespace jscc {

namespace {

std::uint64_t splitmix(std::uint64_t& state) {
    std::uint64_t z = (state += 0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
}

std::uint64_t rotate(std::uint64_t value, int by) { return (value << by) | (value >> (64 - by)); }

constexpr int LAYERS = 128;
constexpr double TAIL = 3.442619855899;        // where the lowest layer's rectangle ends
constexpr double AREA = 9.91256303526217e-3;   // of each layer

struct Ziggurat {
    float scale[LAYERS];        // of a signed 32-bit number
    std::uint32_t most[LAYERS]; // numbers below lie under the curve for sure
    float height[LAYERS];

    Ziggurat() {
        double x = TAIL, last = TAIL;
        const double base = AREA / std::exp(-0.5 * x * x);
        most[0] = static_cast<std::uint32_t>(x / base * 0x1p31);
        most[1] = 0;
        scale[0] = static_cast<float>(base * 0x1p-31);
        scale[LAYERS - 1] = static_cast<float>(x * 0x1p-31);
        height[0] = 1;
        height[LAYERS - 1] = static_cast<float>(std::exp(-0.5 * x * x));
        for (int i = LAYERS - 2; i >= 1; --i) {
            x = std::sqrt(-2 * std::log(AREA / x + std::exp(-0.5 * x * x)));
            most[i + 1] = static_cast<std::uint32_t>(x / last * 0x1p31);
            last = x;
            height[i] = static_cast<float>(std::exp(-0.5 * x * x));
            scale[i] = static_cast<float>(x * 0x1p-31);
        }
    }
};

const Ziggurat ZIGGURAT;

}  // namespace

std::uint64_t seeded(double seed, Use use) {
    return (static_cast<std::uint64_t>(seed) << 3) + static_cast<std::uint64_t>(use);
}

Random::Random(std::uint64_t seed) {
    for (std::uint64_t& word : state_) word = splitmix(seed);
}

std::uint64_t Random::operator()() {
    const std::uint64_t result = rotate(state_[0] + state_[3], 23) + state_[0];
    const std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = rotate(state_[3], 45);
    return result;
}

float Noise::normal() {
    for (;;) {
        const std::uint64_t bits = random_();
        // Layer and value from different bits, or they would depend on each other.
        const auto number = static_cast<std::int32_t>(bits >> 32);
        const int layer = static_cast<int>(bits & (LAYERS - 1));
        const std::uint32_t size = number < 0 ? 0u - static_cast<std::uint32_t>(number) : static_cast<std::uint32_t>(number);
        const float value = static_cast<float>(number) * ZIGGURAT.scale[layer];
        if (size < ZIGGURAT.most[layer]) return value;
        if (layer == 0) {
            double x, y;
            do {
                x = -std::log(1 - random_.uniform()) / TAIL;
                y = -std::log(1 - random_.uniform());
            } while (y + y < x * x);
            return static_cast<float>(number > 0 ? TAIL + x : -TAIL - x);
        }
        const double upper = ZIGGURAT.height[layer - 1], lower = ZIGGURAT.height[layer];
        if (lower + random_.uniform() * (upper - lower) < std::exp(-0.5 * value * value)) return value;
    }
}

void Noise::add(Sample* samples, std::size_t count, double power) {
    const float size = static_cast<float>(std::sqrt(power / 2));
    float* parts = reinterpret_cast<float*>(samples);
    for (std::size_t i = 0; i < 2 * count; ++i) parts[i] += size * normal();
}

void PhaseNoise::apply(Sample* samples, std::size_t count, double rms_degrees, double rate) {
    constexpr double PI = 3.14159265358979323846, LOOP = 50e3;
    if (rms_degrees == 0) return;
    const double rms = rms_degrees * PI / 180, kept = std::exp(-2 * PI * LOOP / rate), fresh = std::sqrt(1 - kept * kept);
    for (std::size_t i = 0; i < count; ++i) {
        phase_ = kept * phase_ + fresh * noise_.normal();
        const float angle = static_cast<float>(rms * phase_), c = std::cos(angle), s = std::sin(angle);
        samples[i] = {samples[i].real() * c - samples[i].imag() * s, samples[i].real() * s + samples[i].imag() * c};
    }
}

}  // namespace jscc
