#include "samples.hpp"

#include <SoapySDR/Formats.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>

namespace jscc {

namespace {

template <typename Code>
void from_codes(const void* from, Sample* to, std::size_t count, float most) {
    const Code* codes = static_cast<const Code*>(from);
    float* parts = reinterpret_cast<float*>(to);
    for (std::size_t i = 0; i < 2 * count; ++i) parts[i] = static_cast<float>(codes[i]) * (1 / most);
}

template <typename Code>
void to_codes(const Sample* from, void* to, std::size_t count, float most) {
    const float* parts = reinterpret_cast<const float*>(from);
    Code* codes = static_cast<Code*>(to);
    for (std::size_t i = 0; i < 2 * count; ++i)
        codes[i] = static_cast<Code>(std::nearbyintf(std::min(std::max(parts[i] * most, -most), most - 1)));
}

}  // namespace

void convert(Sample* samples, std::size_t count, int bits) {
    float* parts = reinterpret_cast<float*>(samples);
    if (bits == 0) {
        for (std::size_t i = 0; i < 2 * count; ++i) parts[i] = std::min(std::max(parts[i], -1.0f), 1.0f);
        return;
    }
    const float most = std::ldexp(1.0f, bits - 1), step = 1 / most;
    // Adding and taking away 1.5 · 2^23 rounds, to even as rint, where |x| < 2^22; so many bits no converter has.
    constexpr float ROUND = 12582912.0f;
    for (std::size_t i = 0; i < 2 * count; ++i) {
        const float code = std::min(std::max(parts[i] * most, -most), most - 1);
        parts[i] = ((code + ROUND) - ROUND) * step;
    }
}

void amplify(Sample* samples, std::size_t count, double gain_db, double compression_db) {
    const float gain = static_cast<float>(std::pow(10, gain_db / 20));
    if (std::isinf(compression_db)) {
        if (gain != 1)
            for (std::size_t i = 0; i < count; ++i) samples[i] *= gain;
        return;
    }
    // 1 dB less: (1 + r²)^(1/4) = 10^(1/20) for the power r = |x|²/A², so r = sqrt(10^(1/5) - 1).
    const double saturation = std::pow(10, compression_db / 10) / std::sqrt(std::pow(10, 0.2) - 1);
    const float scale = static_cast<float>(1 / saturation);
    for (std::size_t i = 0; i < count; ++i) {
        const Sample x = samples[i] * gain;
        const float r = std::norm(x) * scale;
        samples[i] = x / std::sqrt(std::sqrt(1 + r * r));
    }
}

Format format_named(const std::string& name) {
    if (name == SOAPY_SDR_CF32) return Format::cf32;
    if (name == SOAPY_SDR_CS16) return Format::cs16;
    if (name == SOAPY_SDR_CS8) return Format::cs8;
    throw std::runtime_error("the virtual radio has no stream format " + name + "; it has CF32, CS16 and CS8");
}

std::size_t bytes_of(Format format) { return format == Format::cf32 ? 8 : format == Format::cs16 ? 4 : 2; }

void read_format(Format format, const void* from, Sample* to, std::size_t count) {
    if (format == Format::cf32) std::memcpy(static_cast<void*>(to), from, count * sizeof(Sample));
    else if (format == Format::cs16) from_codes<std::int16_t>(from, to, count, 32768);
    else from_codes<std::int8_t>(from, to, count, 128);
}

void write_format(Format format, const Sample* from, void* to, std::size_t count) {
    if (format == Format::cf32) std::memcpy(to, from, count * sizeof(Sample));
    else if (format == Format::cs16) to_codes<std::int16_t>(from, to, count, 32768);
    else to_codes<std::int8_t>(from, to, count, 128);
}

}  // namespace jscc
