#include "receiver.hpp"

#include "mixer.hpp"
#include "pacing.hpp"

#include <SoapySDR/Constants.h>
#include <SoapySDR/Errors.h>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace jscc {

namespace {

constexpr std::size_t BLOCK = 4096;     // samples worked on at once
constexpr std::size_t TOGETHER = 1024;  // lockstep: samples worth waiting for
constexpr double NEAR = 0.06;           // of the bandwidth: two carriers that are as good as equal for filters
constexpr double NARROWEST = 0.02;      // of a transmitter's rate: what a receiver beside it still hears

}  // namespace

// What of a transmitter's signal a receiver's filter passes, and how the two clocks compare.
struct Receiver::Path {
    View tx;
    double bandwidth = 0;  // passed: ± cycles per sample sent...
    double middle = 0;     // ...around this frequency, Hz from the transmitter's carrier
    double offset = 0;     // the transmitter's carrier from the receiver's, Hz
    double step = 1;       // samples sent in a sample received
};

Receiver::Receiver(Radio& radio, Format format, std::size_t buffers)
    : radio_(radio),
      format_(format),
      buffers_(static_cast<std::int64_t>(buffers * radio.model.mtu)),
      noise_(seeded(radio.settings.seed, Use::noise)),
      faults_(seeded(radio.settings.seed, Use::overflows)),
      oscillator_(seeded(radio.settings.seed, Use::received_phase)),
      scratch_(BLOCK),
      part_(BLOCK) {}

Receiver::~Receiver() { deactivate(); }

void Receiver::refresh() {
    std::lock_guard<std::mutex> lock(radio_.mutex);
    settings_ = radio_.settings;
    tuning_ = radio_.rx;
    clock_ = radio_.clock;
    hardware_offset_ = radio_.hardware_offset;
}

int Receiver::activate(int flags, long long time_ns, std::size_t count) {
    if (radio_.gone()) return SOAPY_SDR_STREAM_ERROR;
    const bool timed = flags == SOAPY_SDR_HAS_TIME && radio_.model.timed;
    if ((flags && !timed) || count) return SOAPY_SDR_NOT_SUPPORTED;
    if (active_) return 0;
    refresh();
    rate_ = tuning_.rate;
    held_ = std::min(buffers_, static_cast<std::int64_t>(RECEIVER_SECONDS * rate_));
    left_ = 0;
    idle_ = overflowed_ = false;
    Air::Lock lock(radio_.air);
    next_ = static_cast<std::int64_t>(std::ceil(clock_.ticks(radio_.air.now(), rate_) - 1e-6L));
    if (timed) {
        const long double seconds = static_cast<long double>(time_ns) * 1e-9L - hardware_offset_;
        const auto wanted = static_cast<std::int64_t>(std::llround(seconds * rate_));
        if (wanted < next_) return SOAPY_SDR_TIME_ERROR;
        next_ = wanted;
    }
    show_position(next_);
    radio_.air.own().rx.active = 1;
    active_ = true;
    return 0;
}

int Receiver::deactivate() {
    if (!active_.exchange(false)) return 0;
    radio_.air.own().rx.active = 0;
    radio_.air.ring_bell();
    return 0;
}

void Receiver::stamp(int& flags, long long& time_ns) const {
    if (!radio_.model.timed) return;
    flags |= SOAPY_SDR_HAS_TIME;
    time_ns = std::llround((static_cast<long double>(next_) / rate_ + hardware_offset_ + jumped_) * 1e9L);
}

int Receiver::read(void* samples, std::size_t count, int& flags, long long& time_ns, long timeout_us) {
    const Deadline deadline(timeout_us);
    flags = 0;
    if (radio_.gone()) return SOAPY_SDR_STREAM_ERROR;
    if (!active_) {
        deadline.sleep();
        return SOAPY_SDR_TIMEOUT;
    }
    refresh();
    if (left_ == 0) {
        left_ = radio_.model.mtu;
        if (settings_.jumps > 0 && faults_.uniform() < settings_.jumps) jumped_ += 2 * faults_.uniform() - 1;
        if (settings_.overflow > 0 && faults_.uniform() < settings_.overflow) {
            next_ += static_cast<std::int64_t>(left_);
            flags |= SOAPY_SDR_END_ABRUPT;
            stamp(flags, time_ns);
            return SOAPY_SDR_OVERFLOW;
        }
    }
    std::size_t wanted = std::min(count, left_);
    if (settings_.partial > 0 && faults_.uniform() < settings_.partial) wanted = faults_.part(wanted);
    const int ready = radio_.air.lockstep() ? wait_lockstep(wanted, deadline) : wait_real(wanted, deadline);
    if (ready == SOAPY_SDR_OVERFLOW) {
        flags |= SOAPY_SDR_END_ABRUPT;
        return ready;
    }
    if (ready < 0) return ready;
    stamp(flags, time_ns);
    for (std::size_t done = 0; done < static_cast<std::size_t>(ready);) {
        const std::size_t part = std::min(static_cast<std::size_t>(ready) - done, BLOCK);
        produce(next_ + static_cast<std::int64_t>(done), scratch_.data(), part);
        write_format(format_, scratch_.data(), static_cast<char*>(samples) + done * bytes_of(format_), part);
        done += part;
    }
    next_ += ready;
    left_ -= static_cast<std::size_t>(ready);
    if (radio_.air.lockstep()) {
        radio_.air.own().rx.kept = static_cast<double>(clock_.time(next_, rate_)) - settings_.delay / rate_;
        radio_.air.ring_bell();
    }
    return ready;
}

int Receiver::wait_real(std::size_t count, const Deadline& deadline) {
    for (;;) {
        if (radio_.gone()) return SOAPY_SDR_STREAM_ERROR;
        const std::int64_t newest = floor_tick(clock_.ticks(radio_.air.now() - TRANSPORT, rate_));
        if (overflowed_) {  // reported; however late this call comes, the device has samples for it
            overflowed_ = false;
            next_ = std::max(next_, newest - held_ / 2);
            left_ = radio_.model.mtu;
        }
        const std::int64_t ready = newest - next_;
        if (ready > held_) {
            overflowed_ = true;
            return SOAPY_SDR_OVERFLOW;
        }
        if (ready >= static_cast<std::int64_t>(count)) return static_cast<int>(count);
        if (!active_ || deadline.over()) return ready > 0 ? static_cast<int>(ready) : SOAPY_SDR_TIMEOUT;
        pause(std::min(deadline.left(), std::max(1e-4, static_cast<double>(static_cast<std::int64_t>(count) - ready) / rate_)));
    }
}

// Time of the air up to which all bursts that this receiver hears have been written; where all have ended, their end.
double Receiver::written(bool& bursts) {
    double limit = 0;
    bursts = false;
    for (int i = 0; i < DEVICES; ++i) {
        const Transmission& tx = radio_.air.table().entries[i].tx;
        Path path;
        if (!radio_.air.hears(radio_.air.index(), i) || !path_from(i, path)) continue;
        const double end = static_cast<double>(path.tx.clock.time(path.tx.end, path.tx.rate)) + settings_.delay / rate_;
        const double reach = interpolator(path.bandwidth).reach() / path.tx.rate;
        if (tx.in_burst && radio_.air.alive(i)) {
            limit = bursts ? std::min(limit, end - reach) : end - reach;
            bursts = true;
        } else if (!bursts) {
            limit = std::max(limit, end + reach);
        }
    }
    return limit;
}

// Tells others up to where this receiver has claimed samples. The table's lock must be held.
void Receiver::show_position(std::int64_t claimed) {
    Reception& rx = radio_.air.own().rx;
    const double time = static_cast<double>(clock_.time(claimed, rate_));
    rx.next = time + MOST_REACH / rate_;
    if (!active_) rx.kept = time - settings_.delay / rate_;
    std::atomic<double>& clock = radio_.air.table().clock;
    if (radio_.air.lockstep() && time > clock) clock = time;
}

int Receiver::wait_lockstep(std::size_t count, const Deadline& deadline) {
    for (;;) {
        if (radio_.gone()) return SOAPY_SDR_STREAM_ERROR;
        const std::uint32_t heard = radio_.air.table().bell.load();
        const bool over = !active_ || deadline.over();
        double patience = deadline.left();
        {
            Air::Lock lock(radio_.air);
            bool bursts;
            double limit = written(bursts);
            if (!bursts) {
                const double wall = monotonic(), reached = static_cast<double>(clock_.time(next_, rate_));
                if (!idle_ || reached > idle_air_ + wall - idle_wall_) {
                    idle_air_ = reached;
                    idle_wall_ = wall;
                }
                limit = std::max(limit, idle_air_ + wall - idle_wall_);
            }
            idle_ = !bursts;
            const std::int64_t ready = floor_tick(clock_.ticks(limit, rate_)) - next_;
            const auto enough = static_cast<std::int64_t>(std::min(count, TOGETHER));
            if (ready >= enough || (over && ready > 0)) {
                const std::int64_t taken = std::min(ready, static_cast<std::int64_t>(count));
                show_position(next_ + taken);
                return static_cast<int>(taken);
            }
            if (over) return SOAPY_SDR_TIMEOUT;
            if (idle_) patience = std::min(patience, static_cast<double>(enough - ready) / rate_);
        }
        radio_.air.wait_bell(heard, patience);
    }
}

// False where the receiver's filter passes nothing of it.
bool Receiver::path_from(int index, Path& path) const {
    path.tx = View(radio_.air.table().entries[index].tx);
    const View& tx = path.tx;
    if (!tx.ring || tx.rate <= 0) return false;
    const double own = (tuning_.oscillator + tuning_.digital) * clock_.speed();
    path.offset = tx.frequency - own;
    path.step = tx.rate * tx.clock.speed() / (rate_ * clock_.speed());
    const double sent = tx.rate / 2, received = rate_ / 2;
    if (std::abs(path.offset) <= NEAR * 2 * std::min(sent, received) || std::abs(path.offset) + sent <= received) {
        path.middle = 0;
        path.bandwidth = std::min(0.5, 0.5 * received / sent);
        return true;
    }
    const double low = std::max(-sent, -path.offset - received), high = std::min(sent, -path.offset + received);
    path.middle = (low + high) / 2;
    path.bandwidth = (high - low) / 2 / tx.rate;
    return path.bandwidth >= NARROWEST;
}

const Interpolator& Receiver::interpolator(double bandwidth) {
    auto& made = interpolators_[static_cast<int>(std::lround(bandwidth * 1000))];
    if (!made) made = std::make_unique<Interpolator>(std::lround(bandwidth * 1000) / 1000.0);
    return *made;
}

// Adds what comes from one transmitter.
void Receiver::hear(int index, std::int64_t first, Sample* out, std::size_t count) {
    Path path;
    if (!path_from(index, path)) return;
    const View& tx = path.tx;
    const Interpolator& filter = interpolator(path.bandwidth);
    const long double time = clock_.time(first, rate_), sent = time - settings_.delay / rate_;
    const long double place = tx.clock.ticks(sent, tx.rate);
    const bool same = std::abs(path.step - 1) < 1e-12 && std::abs(place - std::round(place)) < 1e-6L && path.middle == 0 &&
                      path.bandwidth == 0.5;
    const auto whole = static_cast<std::int64_t>(same ? std::round(place) : std::floor(place));
    const std::int64_t from = same ? whole : whole - filter.reach() + 1;
    const auto span = static_cast<std::int64_t>(std::floor((place - whole) + (count - 1) * path.step));
    const std::int64_t to = same ? whole + static_cast<std::int64_t>(count) : whole + span + filter.reach() + 1;
    const auto capacity = static_cast<std::int64_t>(tx.capacity);
    const std::int64_t oldest = tx.end - capacity;
    if (to <= oldest || from >= tx.end) return;
    const Sample* ring = radio_.air.ring(index, tx.ring, tx.capacity);
    if (!ring) return;

    window_.assign(static_cast<std::size_t>(to - from), Sample{});
    const std::int64_t begin = std::max({from, oldest, std::int64_t{0}}), end = std::min(to, tx.end);
    for (std::int64_t at = begin; at < end;) {
        const std::int64_t part = std::min(end - at, capacity - at % capacity);
        std::memcpy(static_cast<void*>(&window_[static_cast<std::size_t>(at - from)]), ring + at % capacity,
                    static_cast<std::size_t>(part) * sizeof(Sample));
        at += part;
    }

    Sample* heard = window_.data();
    if (!same) {
        if (path.middle != 0) {
            const long double start = tx.clock.time(from, tx.rate);
            turn(heard, window_.size(), -path.middle * start, -path.middle / (tx.rate * tx.clock.speed()));
        }
        part_.assign(count, Sample{});
        filter.add(heard, static_cast<double>(place - from), path.step, part_.data(), count);
        heard = part_.data();
    }
    const double shift = path.offset + path.middle;
    if (shift != 0) turn(heard, count, path.offset * time + path.middle * sent, shift / (rate_ * clock_.speed()));
    const float loss = static_cast<float>(std::pow(10, -settings_.loss_db / 20));
    for (std::size_t i = 0; i < count; ++i) out[i] += loss * heard[i];
}

void Receiver::produce(std::int64_t first, Sample* out, std::size_t count) {
    std::fill(out, out + count, Sample{});
    for (int i = 0; i < DEVICES; ++i)
        if (radio_.air.hears(radio_.air.index(), i)) hear(i, first, out, count);
    noise_.add(out, count, std::pow(10, settings_.noise_dbfs / 10));
    amplify(out, count, tuning_.level_db, std::numeric_limits<double>::infinity());
    oscillator_.apply(out, count, settings_.rx_phase_noise_deg, rate_);
    const MixerFaults mixer{settings_.rx_iq_gain_db, settings_.rx_iq_phase_deg,
                            Sample(static_cast<float>(settings_.rx_dc_i), static_cast<float>(settings_.rx_dc_q))};
    mixer.apply(out, count, tuning_.away(), static_cast<long double>(first) * tuning_.away());
    convert(out, count, static_cast<int>(settings_.bits));
}

}  // namespace jscc
