#include "air.hpp"

#include <cerrno>
#include <climits>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdexcept>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace jscc {

namespace {

constexpr std::uint32_t LAYOUT = 0x4A530001;  // counts up whenever Table changes
constexpr int TABLE_LOCK = DEVICES;           // byte of the file whose lock guards the whole table

std::string object_name(const std::string& air) { return "/gr-jscc-air-" + air; }

// Locks of the open file, not of the process: two devices in one process are as apart as in two.
bool lock_byte(int file, int byte, short type, bool wait) {
    struct flock lock {};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    lock.l_start = byte;
    lock.l_len = 1;
    int answer;
    do {
        answer = fcntl(file, wait ? F_OFD_SETLKW : F_OFD_SETLK, &lock);
    } while (answer < 0 && errno == EINTR);
    return answer == 0;
}

bool locked_by_other(int file, int byte) {
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    lock.l_start = byte;
    lock.l_len = 1;
    return fcntl(file, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

std::string reason() { return std::strerror(errno); }

}  // namespace

double monotonic() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

void Air::Mapping::release() {
    if (samples) munmap(samples, bytes);
    samples = nullptr;
    number = 0;
}

Air::Air(const std::string& name, const std::string& id, const std::string& model, Pace pace, bool loop) : name_(name) {
    open_table();
    try {
        // The byte of the table was locked by open_table().
        bool empty = true;
        for (int i = 0; i < DEVICES; ++i) empty = empty && !locked_by_other(file_, i);
        if (empty) {  // nobody left, or nobody yet: time begins anew
            table_->pace = static_cast<std::int32_t>(pace == Pace::none ? Pace::real : pace);
            table_->origin = monotonic();
            table_->clock = 0;
            for (int i = 0; i < DEVICES; ++i) forget(i);
        } else if (pace != Pace::none && static_cast<std::int32_t>(pace) != table_->pace) {
            throw std::runtime_error(
                "the air " + name_ + " already runs with pace=" + (lockstep() ? "lockstep" : "real"));
        }
        claim(id, model, loop);
    } catch (...) {
        munmap(table_, sizeof(Table));
        close(file_);
        throw;
    }
    lock_byte(file_, TABLE_LOCK, F_UNLCK, false);
}

Air::~Air() { leave(); }

void Air::open_table() {
    const std::string object = object_name(name_);
    for (;;) {
        file_ = shm_open(object.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (file_ < 0) throw std::runtime_error("cannot open /dev/shm" + object + ": " + reason());
        lock_byte(file_, TABLE_LOCK, F_WRLCK, true);
        struct stat status {};
        fstat(file_, &status);
        if (status.st_nlink == 0) {  // the last device removed it while we were opening it
            close(file_);
            continue;
        }
        if (status.st_size == 0 && posix_fallocate(file_, 0, sizeof(Table)) != 0) {
            shm_unlink(object.c_str());
            close(file_);
            throw std::runtime_error("no memory left in /dev/shm for the air " + name_);
        }
        break;
    }
    void* memory = mmap(nullptr, sizeof(Table), PROT_READ | PROT_WRITE, MAP_SHARED, file_, 0);
    if (memory == MAP_FAILED) {
        const std::string why = reason();
        close(file_);
        throw std::runtime_error("cannot map the air " + name_ + ": " + why);
    }
    table_ = static_cast<Table*>(memory);
    if (table_->layout == 0) table_->layout = LAYOUT;
    if (table_->layout != LAYOUT) {
        munmap(table_, sizeof(Table));
        close(file_);
        throw std::runtime_error("the air " + name_ + " was made by another version of the driver; end its programs");
    }
}

void Air::claim(const std::string& id, const std::string& model, bool loop) {
    int free = -1, value = 0;
    std::string taken;
    for (int i = 0; i < DEVICES; ++i) {
        const Entry& entry = table_->entries[i];
        if (!locked_by_other(file_, i)) {
            // The line of its predecessor, or else one with nothing in it that others may still hear.
            const int worth = !id.empty() && id == entry.id ? 3 : entry.tx.ring == 0 ? 2 : 1;
            if (worth > value) {
                free = i;
                value = worth;
            }
        } else if (id == entry.id) {
            throw std::runtime_error(
                "the virtual radio " + id + " of the air " + name_ + " is in use by process " + std::to_string(entry.pid));
        } else {
            taken += "," + std::string(entry.id) + ",";
        }
    }
    if (free < 0) throw std::runtime_error("the air " + name_ + " already has " + std::to_string(DEVICES) + " devices");
    id_ = id;
    for (int number = 0; id_.empty(); ++number)
        if (taken.find("," + std::to_string(number) + ",") == std::string::npos) id_ = std::to_string(number);

    lock_byte(file_, free, F_WRLCK, false);
    index_ = free;
    forget(index_);
    Entry& entry = own();
    std::strncpy(entry.id, id_.c_str(), sizeof entry.id - 1);
    std::strncpy(entry.model, model.c_str(), sizeof entry.model - 1);
    entry.pid = getpid();
    entry.loop = loop;
}

void Air::forget(int index) {
    Entry& entry = table_->entries[index];
    if (entry.tx.ring) shm_unlink(ring_name(index, entry.tx.ring).c_str());
    std::memset(static_cast<void*>(&entry), 0, sizeof entry);
}

void Air::leave() {
    {
        lock_byte(file_, TABLE_LOCK, F_WRLCK, true);
        // The ring stays until somebody takes over the line: what was sent is on the air, and others may still hear it.
        own().rx.active = 0;
        own().tx.in_burst = 0;
        own_ring_.release();
        bool last = true;
        for (int i = 0; i < DEVICES; ++i) last = last && (i == index_ || !locked_by_other(file_, i));
        if (last) {
            for (int i = 0; i < DEVICES; ++i) forget(i);  // rings of processes that died
            shm_unlink(object_name(name_).c_str());
        }
        ring_bell();
    }
    for (Mapping& mapping : rings_) mapping.release();
    munmap(table_, sizeof(Table));
    close(file_);  // drops the locks
}

double Air::now() const { return lockstep() ? table_->clock.load() : monotonic() - table_->origin; }

bool Air::alive(int index) const { return index == index_ || locked_by_other(file_, index); }

bool Air::hears(int listener, int speaker) const {
    return listener != speaker || table_->entries[listener].loop != 0;
}

std::string Air::ring_name(int index, std::uint32_t number) const {
    return object_name(name_) + "." + std::to_string(index) + "." + std::to_string(number);
}

Air::NewRing Air::new_ring(std::uint64_t capacity) {
    if (own().tx.ring) shm_unlink(ring_name(index_, own().tx.ring).c_str());
    own_ring_.release();
    const std::uint32_t number = table_->rings.fetch_add(1) + 1;
    const std::string object = ring_name(index_, number);
    const int file = shm_open(object.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (file < 0) throw std::runtime_error("cannot open /dev/shm" + object + ": " + reason());
    const std::size_t bytes = capacity * sizeof(Sample);
    // Without the memory set aside now, a full /dev/shm would kill the process in the midst of a burst.
    const bool enough = posix_fallocate(file, 0, static_cast<off_t>(bytes)) == 0;
    void* memory = enough ? mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0) : MAP_FAILED;
    close(file);
    if (memory == MAP_FAILED) {
        shm_unlink(object.c_str());
        throw std::runtime_error(
            "/dev/shm has no " + std::to_string(bytes / 1'000'000 + 1) +
            " MB left for the transmitter's samples: lower the sample rate or the stream's `buffers`");
    }
    own_ring_ = {number, static_cast<Sample*>(memory), bytes};
    return {number, own_ring_.samples};
}

const Sample* Air::ring(int index, std::uint32_t number, std::uint64_t capacity) {
    Mapping& mapping = rings_[index];
    if (mapping.number == number) return mapping.samples;
    mapping.release();
    const int file = shm_open(ring_name(index, number).c_str(), O_RDONLY | O_CLOEXEC, 0);
    if (file < 0) return nullptr;
    const std::size_t bytes = capacity * sizeof(Sample);
    struct stat status {};
    void* memory = MAP_FAILED;
    if (fstat(file, &status) == 0 && static_cast<std::size_t>(status.st_size) >= bytes)
        memory = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (memory == MAP_FAILED) return nullptr;
    mapping = {number, static_cast<Sample*>(memory), bytes};
    return mapping.samples;
}

void Air::ring_bell() {
    table_->bell.fetch_add(1);
    syscall(SYS_futex, &table_->bell, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

void Air::wait_bell(std::uint32_t heard, double seconds) const {
    // Not for long: a process that is killed rings no bell.
    seconds = std::min(std::max(seconds, 0.0), 0.02);
    const timespec time{0, static_cast<long>(seconds * 1e9)};
    syscall(SYS_futex, &table_->bell, FUTEX_WAIT, heard, &time, nullptr, 0);
}

Air::Lock::Lock(Air& air) : air_(air), threads_(air.threads_) { lock_byte(air.file_, TABLE_LOCK, F_WRLCK, true); }

Air::Lock::~Lock() { lock_byte(air_.file_, TABLE_LOCK, F_UNLCK, false); }

std::vector<std::pair<std::string, std::string>> Air::living(const std::string& name) {
    std::vector<std::pair<std::string, std::string>> found;
    const int file = shm_open(object_name(name).c_str(), O_RDWR | O_CLOEXEC, 0);
    if (file < 0) return found;
    struct stat status {};
    if (fstat(file, &status) == 0 && static_cast<std::size_t>(status.st_size) >= sizeof(Table)) {
        void* memory = mmap(nullptr, sizeof(Table), PROT_READ, MAP_SHARED, file, 0);
        if (memory != MAP_FAILED) {
            const Table* table = static_cast<const Table*>(memory);
            for (int i = 0; table->layout == LAYOUT && i < DEVICES; ++i)
                if (locked_by_other(file, i)) found.emplace_back(table->entries[i].id, table->entries[i].model);
            munmap(memory, sizeof(Table));
        }
    }
    close(file);
    return found;
}

}  // namespace jscc
