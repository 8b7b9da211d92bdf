#include "pacing.hpp"

namespace jscc {

namespace {

constexpr double PATIENCE = 1.0;  // s without progress

}  // namespace

double heard_until(Air& air) {
    double time = air.table().clock.load();
    for (int i = 0; i < DEVICES; ++i) {
        const Reception& rx = air.table().entries[i].rx;
        if (rx.active && air.alive(i)) time = std::max(time, rx.next.load());
    }
    return time;
}

double kept_by_listeners(Air& air) {
    double time = 0;
    bool any = false;
    for (int i = 0; i < DEVICES; ++i) {
        const Reception& rx = air.table().entries[i].rx;
        if (!rx.active || !air.hears(i, air.index()) || !air.alive(i)) continue;
        time = any ? std::min(time, rx.kept.load()) : rx.kept.load();
        any = true;
    }
    return any ? time : air.table().clock.load();
}

void drain(Air& air) {
    const View own(air.own().tx);
    if (!own.ring) return;
    const double end = static_cast<double>(own.clock.time(own.end, own.rate));
    double last = -1, since = monotonic();
    for (;;) {
        const std::uint32_t heard = air.table().bell.load();
        bool waits = false;
        double slowest = end;
        for (int i = 0; i < DEVICES; ++i) {
            const Reception& rx = air.table().entries[i].rx;
            if (!rx.active || !air.hears(i, air.index()) || !air.alive(i)) continue;
            waits = waits || rx.kept < end;
            slowest = std::min(slowest, rx.kept.load());
        }
        if (!waits) return;
        if (slowest > last) {
            last = slowest;
            since = monotonic();
        }
        if (monotonic() - since > PATIENCE) return;
        air.wait_bell(heard, PATIENCE);
    }
}

}  // namespace jscc
