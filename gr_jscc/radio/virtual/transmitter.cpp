#include "transmitter.hpp"

#include "mixer.hpp"
#include "pacing.hpp"

#include <SoapySDR/Constants.h>
#include <SoapySDR/Errors.h>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace jscc {

namespace {

constexpr std::size_t BLOCK = 4096;   // samples worked on at once
constexpr double EARLY = 0.5;         // s before its time that a burst may be written

}  // namespace

Transmitter::Transmitter(Radio& radio, Format format, std::size_t buffers)
    : radio_(radio),
      format_(format),
      held_(static_cast<std::int64_t>(buffers * radio.model.mtu)),
      shown_(radio.air.own().tx),
      faults_(seeded(radio.settings.seed, Use::underflows)),
      oscillator_(seeded(radio.settings.seed, Use::sent_phase)),
      scratch_(BLOCK) {}

Transmitter::~Transmitter() { deactivate(); }

std::int64_t Transmitter::now_tick() {
    std::lock_guard<std::mutex> lock(radio_.mutex);
    return floor_tick(radio_.clock.ticks(radio_.air.now(), rate_));
}

int Transmitter::activate(int flags, std::size_t count) {
    if (radio_.gone()) return SOAPY_SDR_STREAM_ERROR;
    if (flags || count) return SOAPY_SDR_NOT_SUPPORTED;
    if (active_) return 0;
    std::lock_guard<std::mutex> lock(radio_.mutex);
    const auto needed = static_cast<std::uint64_t>(held_ + radio_.tx.rate * (EARLY + RECEIVER_SECONDS + 2 * TRANSPORT));
    const std::int64_t now = floor_tick(radio_.clock.ticks(radio_.air.now(), radio_.tx.rate));
    if (shown_.ring == 0 || shown_.capacity != needed || rate_ != radio_.tx.rate) {
        rate_ = radio_.tx.rate;
        const Air::NewRing made = radio_.air.new_ring(needed);
        ring_ = made.samples;
        change(shown_, [&] {
            shown_.ring = made.number;
            shown_.capacity = needed;
            shown_.rate = rate_;
            shown_.end = now;
        });
    }
    radio_.publish();
    dropping_ = false;
    left_ = 0;
    active_ = true;
    return 0;
}

int Transmitter::deactivate() {
    if (!active_.exchange(false)) return 0;
    if (radio_.gone()) return 0;
    // What the device still held is not sent; in lockstep nothing is lost.
    if (!radio_.air.lockstep())
        shown_.end = std::max(std::min(shown_.end.load(), now_tick()), std::min(shown_.end.load(), begin_.load()));
    shown_.in_burst = 0;
    radio_.air.ring_bell();
    return 0;
}

// Where the next burst begins; false where the time that was asked for is past.
bool Transmitter::begin_burst(int flags, long long time_ns) {
    const bool timed = (flags & SOAPY_SDR_HAS_TIME) && radio_.model.timed;
    const auto choose = [&](std::int64_t earliest) {
        earliest = std::max(earliest, shown_.end.load());
        begin_ = earliest;
        if (timed) {
            std::lock_guard<std::mutex> lock(radio_.mutex);
            const long double seconds = static_cast<long double>(time_ns) * 1e-9L - radio_.hardware_offset;
            begin_ = static_cast<std::int64_t>(std::llround(seconds * rate_));
        }
        return begin_ >= earliest;
    };
    if (!radio_.air.lockstep()) {
        const double lead = std::max(0.002, std::min(0.02, static_cast<double>(radio_.model.mtu) / rate_));
        if (!choose(now_tick() + static_cast<std::int64_t>(lead * rate_))) return false;
        shown_.in_burst = 1;
        return true;
    }
    Air::Lock lock(radio_.air);
    const double heard = heard_until(radio_.air);
    std::int64_t earliest;
    {
        std::lock_guard<std::mutex> fields(radio_.mutex);
        earliest = floor_tick(radio_.clock.ticks(heard, rate_)) + MOST_REACH;
    }
    if (!choose(earliest)) return false;
    // From here on receivers wait for this burst. What was at `end` before is silence up to its beginning.
    silence_until(begin_);
    shown_.in_burst = 1;
    return true;
}

void Transmitter::silence_until(std::int64_t tick) {
    const auto capacity = static_cast<std::int64_t>(shown_.capacity);
    std::int64_t at = std::max(shown_.end.load(), tick - capacity);
    while (at < tick) {
        const std::int64_t place = at % capacity, count = std::min(tick - at, capacity - place);
        std::memset(static_cast<void*>(ring_ + place), 0, static_cast<std::size_t>(count) * sizeof(Sample));
        at += count;
    }
    shown_.end.store(std::max(shown_.end.load(), tick), std::memory_order_release);
}

// Samples that the device still takes.
std::int64_t Transmitter::room(std::int64_t now) {
    const std::int64_t end = std::max(shown_.end.load(), begin_.load());
    if (begin_ - now > held_ + static_cast<std::int64_t>(EARLY * rate_)) return 0;
    return std::max(now, begin_.load()) + held_ - end;
}

void Transmitter::notice_underflow() {
    std::lock_guard<std::mutex> lock(events_mutex_);
    if (radio_.air.lockstep() || !active_ || !shown_.in_burst || now_tick() <= std::max(shown_.end.load(), begin_.load())) return;
    shown_.in_burst = 0;
    events_.push_back({SOAPY_SDR_UNDERFLOW, 0, shown_.end.load(), false});
}

int Transmitter::write(const void* samples, std::size_t count, int flags, long long time_ns, long timeout_us) {
    const Deadline deadline(timeout_us);
    if (radio_.gone()) return SOAPY_SDR_STREAM_ERROR;
    if (!active_) {
        deadline.sleep();
        return SOAPY_SDR_TIMEOUT;
    }
    const std::size_t asked = count;
    count = std::min(count, radio_.model.mtu);
    double partial;
    {
        std::lock_guard<std::mutex> lock(radio_.mutex);
        partial = radio_.settings.partial;
    }
    if (partial > 0 && faults_.uniform() < partial) count = faults_.part(count);
    const bool last_of_burst = (flags & SOAPY_SDR_END_BURST) && count == asked;
    if (dropping_) {
        dropping_ = !last_of_burst;
        return static_cast<int>(count);
    }
    notice_underflow();
    if (!shown_.in_burst && count) {
        if (!begin_burst(flags, time_ns)) {
            tell(SOAPY_SDR_TIME_ERROR, 0, begin_.load());
            dropping_ = !last_of_burst;
            return static_cast<int>(count);
        }
    }
    std::size_t done = 0;
    while (done < count) {
        const std::uint32_t heard = radio_.air.table().bell.load();
        std::int64_t now;
        if (radio_.air.lockstep()) {
            const double kept = kept_by_listeners(radio_.air);
            std::lock_guard<std::mutex> lock(radio_.mutex);
            now = floor_tick(radio_.clock.ticks(kept, rate_));
        } else {
            now = now_tick();
        }
        const std::int64_t free = room(now);
        // Not sample by sample: each time somebody has to be woken.
        const std::int64_t wanted = std::min(static_cast<std::int64_t>(std::min(count - done, BLOCK)), held_ / 2);
        if (free < wanted && !(deadline.over() && free > 0)) {
            if (radio_.gone()) return SOAPY_SDR_STREAM_ERROR;
            if (!active_ || deadline.over()) return done ? static_cast<int>(done) : SOAPY_SDR_TIMEOUT;
            if (radio_.air.lockstep()) radio_.air.wait_bell(heard, deadline.left());
            else pause(std::min(deadline.left(), std::max(1e-4, static_cast<double>(wanted - free) / rate_)));
            continue;
        }
        if (left_ == 0) {
            left_ = radio_.model.mtu;
            double underflow;
            {
                std::lock_guard<std::mutex> lock(radio_.mutex);
                underflow = radio_.settings.underflow;
            }
            if (underflow > 0 && faults_.uniform() < underflow) {
                silence_until(std::max(shown_.end.load(), begin_.load()) + static_cast<std::int64_t>(left_));
                tell(SOAPY_SDR_UNDERFLOW, 0, shown_.end.load());
                continue;
            }
        }
        const std::size_t part = std::min({static_cast<std::size_t>(std::min(free, wanted)), left_, BLOCK});
        read_format(format_, static_cast<const char*>(samples) + done * bytes_of(format_), scratch_.data(), part);
        put(scratch_.data(), part);
        left_ -= part;
        done += part;
    }
    if (last_of_burst && shown_.in_burst) {
        shown_.in_burst = 0;
        radio_.air.ring_bell();
        if (radio_.model.timed) tell(0, SOAPY_SDR_END_BURST, shown_.end.load(), !radio_.air.lockstep());
    }
    return static_cast<int>(count);
}

void Transmitter::put(const Sample* samples, std::size_t count) {
    silence_until(begin_);
    const std::int64_t end = shown_.end.load();
    const auto capacity = static_cast<std::int64_t>(shown_.capacity);
    Sample* work = const_cast<Sample*>(samples);
    Settings settings;
    Tuning tuning;
    {
        std::lock_guard<std::mutex> lock(radio_.mutex);
        settings = radio_.settings;
        tuning = radio_.tx;
    }
    convert(work, count, static_cast<int>(settings.bits));
    const MixerFaults mixer{settings.tx_iq_gain_db, settings.tx_iq_phase_deg,
                            Sample(static_cast<float>(settings.tx_dc_i), static_cast<float>(settings.tx_dc_q))};
    mixer.apply(work, count, tuning.away(), static_cast<long double>(end) * tuning.away());
    oscillator_.apply(work, count, settings.tx_phase_noise_deg, rate_);
    amplify(work, count, tuning.level_db, settings.compression_dbfs);
    for (std::size_t done = 0; done < count;) {
        const std::int64_t place = (end + static_cast<std::int64_t>(done)) % capacity;
        const std::size_t part = std::min(count - done, static_cast<std::size_t>(capacity - place));
        std::memcpy(static_cast<void*>(ring_ + place), work + done, part * sizeof(Sample));
        done += part;
    }
    shown_.end.store(end + static_cast<std::int64_t>(count), std::memory_order_release);
    if (radio_.air.lockstep()) radio_.air.ring_bell();
    // Receivers already were here: the process was held up.
    else if (now_tick() - static_cast<std::int64_t>(TRANSPORT * rate_) > end) tell(SOAPY_SDR_UNDERFLOW, 0, end);
}

void Transmitter::tell(int code, int flags, std::int64_t tick, bool wait) {
    std::lock_guard<std::mutex> lock(events_mutex_);
    events_.push_back({code, flags, tick, wait});
}

int Transmitter::status(int& flags, long long& time_ns, long timeout_us) {
    const Deadline deadline(timeout_us);
    for (;;) {
        if (radio_.gone()) return SOAPY_SDR_STREAM_ERROR;
        if (active_) notice_underflow();
        {
            std::lock_guard<std::mutex> lock(events_mutex_);
            if (!events_.empty() && (!events_.front().wait || now_tick() >= events_.front().tick)) {
                const Event event = events_.front();
                events_.pop_front();
                flags = event.flags;
                if (radio_.model.timed && rate_ > 0) {
                    flags |= SOAPY_SDR_HAS_TIME;
                    std::lock_guard<std::mutex> fields(radio_.mutex);
                    time_ns = std::llround((static_cast<long double>(event.tick) / rate_ + radio_.hardware_offset) * 1e9L);
                }
                return event.code;
            }
        }
        if (deadline.over()) return SOAPY_SDR_TIMEOUT;
        pause(std::min(deadline.left(), 0.001));
    }
}

}  // namespace jscc
