#include "pacing.hpp"

namespace jscc {

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

}  // namespace jscc
