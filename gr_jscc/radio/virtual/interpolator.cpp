#include "interpolator.hpp"

#include <cmath>
#include <cstring>

namespace jscc {

namespace {

constexpr int REACH = 16;      // for the bandwidth 0.5
constexpr int PHASES = 512;    // linear between them: error below -100 dB
constexpr double BETA = 7.857; // Kaiser's window of 80 dB: 0.1102 (80 - 8.7)
constexpr double PI = 3.14159265358979323846;

// Modified Bessel function of the first kind, order 0.
double bessel(double x) {
    double sum = 1, term = 1;
    for (int k = 1; k < 50; ++k) sum += term *= (x / (2 * k)) * (x / (2 * k));
    return sum;
}

using Lanes = float __attribute__((vector_size(32)));
constexpr int LANES = 8;

Lanes load(const float* from) {
    Lanes lanes;
    std::memcpy(&lanes, from, sizeof lanes);
    return lanes;
}

#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__clang__)
#define JSCC_FASTEST __attribute__((target_clones("default", "arch=haswell")))
#else
#define JSCC_FASTEST
#endif

JSCC_FASTEST void interpolate(const Sample* in, double place, double step, Sample* out, std::size_t count,
                              const float* taps, int reach) {
    const int row = 4 * reach;  // floats
    for (std::size_t i = 0; i < count; ++i) {
        const double at = place + static_cast<double>(i) * step;
        const double whole = std::floor(at);
        const double phase = (at - whole) * PHASES;
        const int index = static_cast<int>(phase);
        const float part = static_cast<float>(phase - index);
        const float* low = taps + static_cast<std::ptrdiff_t>(index) * row;
        const float* high = low + row;
        const float* samples = reinterpret_cast<const float*>(in + static_cast<std::ptrdiff_t>(whole) - reach + 1);
        Lanes sum{}, other{};
        for (int k = 0; k < row; k += 2 * LANES) {
            const Lanes first = load(low + k), second = load(low + k + LANES);
            sum += (first + part * (load(high + k) - first)) * load(samples + k);
            other += (second + part * (load(high + k + LANES) - second)) * load(samples + k + LANES);
        }
        sum += other;
        out[i] += Sample(sum[0] + sum[2] + sum[4] + sum[6], sum[1] + sum[3] + sum[5] + sum[7]);
    }
}

}  // namespace

Interpolator::Interpolator(double bandwidth) {
    reach_ = 4 * static_cast<int>(std::ceil(REACH * 0.5 / bandwidth / 4));
    const double span = REACH * 0.5 / bandwidth;
    taps_.resize(static_cast<std::size_t>(PHASES + 1) * 4 * reach_);
    std::vector<double> row(2 * reach_);
    for (int phase = 0; phase <= PHASES; ++phase) {
        double sum = 0;
        for (int k = 0; k < 2 * reach_; ++k) {
            const double lag = k - reach_ + 1 - static_cast<double>(phase) / PHASES;
            const double angle = 2 * PI * bandwidth * lag, edge = lag / span;
            const double sinc = std::abs(angle) < 1e-12 ? 1 : std::sin(angle) / angle;
            row[k] = std::abs(edge) >= 1 ? 0 : sinc * bessel(BETA * std::sqrt(1 - edge * edge));
            sum += row[k];
        }
        float* taps = taps_.data() + static_cast<std::size_t>(phase) * 4 * reach_;
        for (int k = 0; k < 2 * reach_; ++k) taps[2 * k] = taps[2 * k + 1] = static_cast<float>(row[k] / sum);
    }
}

void Interpolator::add(const Sample* in, double place, double step, Sample* out, std::size_t count) const {
    interpolate(in, place, step, out, count, taps_.data(), reach_);
}

}  // namespace jscc
