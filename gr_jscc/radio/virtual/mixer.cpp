#include "mixer.hpp"

#include <algorithm>
#include <cmath>

namespace jscc {

namespace {

constexpr double TURN = 2 * 3.14159265358979323846;
constexpr std::size_t BLOCK = 256;  // samples between exact phases

std::complex<double> phasor(long double cycles) {
    return std::polar(1.0, static_cast<double>((cycles - std::floor(cycles)) * TURN));
}

// Calls change(i, exp(j 2π (cycles + i · step))) for every sample.
template <typename Change>
void along(std::size_t count, long double cycles, double step, Change change) {
    const std::complex<double> next = phasor(step);
    for (std::size_t first = 0; first < count; first += BLOCK) {
        std::complex<double> now = phasor(cycles + static_cast<long double>(first) * step);
        for (std::size_t i = first; i < std::min(first + BLOCK, count); ++i) {
            change(i, Sample(static_cast<float>(now.real()), static_cast<float>(now.imag())));
            now = {now.real() * next.real() - now.imag() * next.imag(), now.real() * next.imag() + now.imag() * next.real()};
        }
    }
}

// std::complex's product would check for infinities.
Sample times(Sample a, Sample b) {
    return {a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real()};
}

}  // namespace

void turn(Sample* samples, std::size_t count, long double cycles, double step) {
    along(count, cycles, step, [&](std::size_t i, Sample by) { samples[i] = times(samples[i], by); });
}

void MixerFaults::apply(Sample* samples, std::size_t count, double away, long double cycles) const {
    const double gain = std::pow(10, gain_db / 20), phase = phase_degrees * TURN / 360;
    const bool imbalance = gain_db != 0 || phase_degrees != 0, offset = dc != Sample{};
    if (away == 0) {
        const float own = static_cast<float>(gain * std::cos(phase)), other = static_cast<float>(-gain * std::sin(phase));
        if (imbalance)
            for (std::size_t i = 0; i < count; ++i)
                samples[i].imag(own * samples[i].imag() + other * samples[i].real());
        if (offset)
            for (std::size_t i = 0; i < count; ++i) samples[i] += dc;
        return;
    }
    if (imbalance) {
        const std::complex<double> wide_mu = 0.5 * (1.0 + std::polar(gain, -phase));
        const std::complex<double> wide_nu = 0.5 * (1.0 - std::polar(gain, phase));
        const Sample mu(wide_mu), nu(wide_nu);
        if (2 * std::abs(away) < 1) {
            along(count, 2 * cycles, 2 * away, [&](std::size_t i, Sample by) {
                samples[i] = times(mu, samples[i]) + times(nu, times(std::conj(samples[i]), by));
            });
        } else {
            for (std::size_t i = 0; i < count; ++i) samples[i] = times(mu, samples[i]);
        }
    }
    if (offset && 2 * std::abs(away) < 1)
        along(count, cycles, away, [&](std::size_t i, Sample by) { samples[i] += times(dc, by); });
}

}  // namespace jscc
