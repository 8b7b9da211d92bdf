// The air: shared memory in which the devices of one or several processes leave what they send.
//
// An object /dev/shm/gr-jscc-air-NAME holds a table of devices, and every transmitter has a ring of samples in an object
// of its own. A device holds a file lock on its line of the table; the kernel drops it when the process dies, so the
// others know who is alive without asking anybody.
#pragma once

#include "clock.hpp"

#include <atomic>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace jscc {

using Sample = std::complex<float>;

constexpr int DEVICES = 16;  // most in one air

enum class Pace : std::int32_t { none, real, lockstep };

// A transmitter as receivers see it. `version` is odd while the fields below it change.
struct Transmission {
    std::atomic<std::uint32_t> version;
    std::uint32_t ring;      // number in the name of the ring's object; 0: none
    std::uint64_t capacity;  // of the ring, samples
    double rate;             // nominal, samples per second
    double frequency;        // true, Hz
    Clock clock;
    std::atomic<std::int64_t> end;       // sample after the last one written; from there on it is silent
    std::atomic<std::int32_t> in_burst;  // more is to come at `end`
};

// A receiver as transmitters see it, in lockstep.
struct Reception {
    std::atomic<std::int32_t> active;
    std::atomic<double> next;  // time of the air from which on a new burst is heard whole
    std::atomic<double> kept;  // time of the air before which nothing is needed any more
};

struct Entry {
    char id[48];
    char model[16];
    std::int32_t pid;
    std::int32_t loop;  // whether the device hears itself
    Transmission tx;
    Reception rx;
};

struct Table {
    std::uint32_t layout;             // 0 until the table is made; another number is another version's
    std::atomic<std::uint32_t> bell;  // counts what others may be waiting for
    std::atomic<std::uint32_t> rings;
    std::atomic<std::int32_t> pace;   // a Pace; set by the first device
    double origin;                    // CLOCK_MONOTONIC at time 0 of the air, s
    std::atomic<double> clock;        // lockstep: the time of the air
    Entry entries[DEVICES];
};

// A device's place in the air.
class Air {
public:
    // Joins an air, which is made where there is none yet. An empty id takes the first free number.
    // Throws std::runtime_error, with one line for a person: the id is in use, the pace is another, there is no memory.
    Air(const std::string& name, const std::string& id, const std::string& model, Pace pace, bool loop);
    ~Air();
    Air(const Air&) = delete;
    Air& operator=(const Air&) = delete;

    const std::string& id() const { return id_; }
    bool lockstep() const { return table_->pace == static_cast<std::int32_t>(Pace::lockstep); }
    double now() const;  // time of the air, s
    Table& table() { return *table_; }
    Entry& own() { return table_->entries[index_]; }
    bool alive(int index) const;  // whether the process of a line of the table lives

    // Whether device `listener` hears device `speaker`.
    bool hears(int listener, int speaker) const;
    int index() const { return index_; }

    // Makes a new, silent ring for this device's transmitter. Throws std::runtime_error where there is no memory.
    struct NewRing {
        std::uint32_t number;
        Sample* samples;
    };
    NewRing new_ring(std::uint64_t capacity);
    // The ring of another; null where it is gone. Valid until the next call for the same device.
    const Sample* ring(int index, std::uint32_t number, std::uint64_t capacity);

    void ring_bell();
    void wait_bell(std::uint32_t heard, double seconds) const;  // until the bell rings after `heard`

    // What changes the table for others in lockstep does so one after the other.
    class Lock {
    public:
        explicit Lock(Air& air);
        ~Lock();
        Lock(const Lock&) = delete;
        Lock& operator=(const Lock&) = delete;

    private:
        Air& air_;
        std::lock_guard<std::mutex> threads_;  // file locks keep processes apart, not threads
    };

    // The devices of an air as ids by model; empty where there is no air.
    static std::vector<std::pair<std::string, std::string>> living(const std::string& name);

private:
    struct Mapping {
        std::uint32_t number = 0;
        Sample* samples = nullptr;
        std::size_t bytes = 0;
        void release();
    };

    void open_table();
    void claim(const std::string& id, const std::string& model, bool loop);
    void forget(int index);
    void leave();
    std::string ring_name(int index, std::uint32_t number) const;

    std::string name_, id_;
    int file_ = -1;
    int index_ = -1;
    Table* table_ = nullptr;
    Mapping own_ring_;
    Mapping rings_[DEVICES];
    mutable std::mutex threads_;
};

double monotonic();  // CLOCK_MONOTONIC, s

}  // namespace jscc
