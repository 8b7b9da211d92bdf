#include "radio.hpp"

#include <algorithm>
#include <limits>

namespace jscc {

namespace {

// Devices that were unplugged, by air and id: when they are back (CLOCK_MONOTONIC). Each is unplugged once.
struct Unplugged {
    std::mutex mutex;
    std::map<std::pair<std::string, std::string>, double> back;
} unplugged;

}  // namespace

Radio::Radio(const Settings& wanted)
    : model(model_named(wanted.model)),
      air(wanted.air, wanted.id, wanted.model, wanted.pace, wanted.loop),
      settings(wanted),
      place_(wanted.air, wanted.id),
      opened_(air.now()) {
    settings.id = air.id();
    clock = {opened_, opened_, settings.ppm};
    std::lock_guard<std::mutex> lock(unplugged.mutex);
    if (unplugged.back.count(place_)) settings.unplug = std::numeric_limits<double>::infinity();
}

bool Radio::gone() {
    if (gone_ || air.now() - opened_ < settings.unplug) return gone_;
    std::lock_guard<std::mutex> lock(unplugged.mutex);
    if (gone_.exchange(true)) return true;
    unplugged.back[place_] = monotonic() + settings.unplug_for;
    // What the device still held is not sent.
    Transmission& sent = air.own().tx;
    if (sent.ring) sent.end = std::min(sent.end.load(), floor_tick(sent.clock.ticks(air.now(), sent.rate)));
    sent.in_burst = 0;
    air.own().rx.active = 0;
    air.ring_bell();
    return true;
}

bool Radio::away(const Settings& wanted) {
    std::lock_guard<std::mutex> lock(unplugged.mutex);
    const auto found = unplugged.back.find({wanted.air, wanted.id});
    return found != unplugged.back.end() && monotonic() < found->second;
}

void Radio::publish() {
    Transmission& other = air.own().tx;
    change(other, [&] {
        other.frequency = (tx.oscillator + tx.digital) * clock.speed();
        other.clock = clock;
    });
}

View::View(const Transmission& tx) {
    for (int tries = 0; tries < 1000; ++tries) {
        const std::uint32_t before = tx.version.load();
        if (before % 2 == 0) {
            ring = tx.ring;
            capacity = tx.capacity;
            rate = tx.rate;
            frequency = tx.frequency;
            clock = tx.clock;
            end = tx.end.load(std::memory_order_acquire);
            std::atomic_thread_fence(std::memory_order_acquire);
            if (tx.version.load() == before) return;
        }
    }
    ring = 0;  // its process died in the midst of a change
}

}  // namespace jscc
