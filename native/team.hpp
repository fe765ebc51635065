// Threads that work side by side and meet: started for one call, joined before it returns. It knows nothing
// of networks.
//
// Who waits spins for a moment, because the others are usually there at once, and then sleeps, because where
// there are more threads than cores they are not.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace hornbook {
inline namespace HORNBOOK_LEVEL {

// Nobody passes before all have come.
class Meeting {
  public:
    explicit Meeting(int members) : members_(members) {}

    void wait() {
        const unsigned now = round_.load();
        if (arrived_.fetch_add(1) + 1 == members_) {
            arrived_ = 0;
            round_ = now + 1;
            if (sleepers_.load() > 0) wake();
            return;
        }
        for (int i = 0; i < spins; ++i) {
            if (round_.load(std::memory_order_acquire) != now) return;
            pause();
        }
        sleep(now);
    }

    // How often somebody had to sleep.
    int64_t slept() const { return slept_.load(std::memory_order_relaxed); }

  private:
    static constexpr int spins = 4000;  // some 50 microseconds
    const int members_;
    std::atomic<int> arrived_{0}, sleepers_{0};
    std::atomic<unsigned> round_{0};
    std::atomic<int64_t> slept_{0};
    std::mutex mutex_;
    std::condition_variable next_;

    // Either the last to come sees that somebody sleeps, or who wants to sleep sees that all have come: each
    // tells first and looks then.
    void sleep(unsigned now) {
        std::unique_lock<std::mutex> lock(mutex_);
        ++sleepers_, ++slept_;
        next_.wait(lock, [&] { return round_.load() != now; });
        --sleepers_;
    }
    void wake() {
        const std::lock_guard<std::mutex> lock(mutex_);
        next_.notify_all();
    }

    static void pause() {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#else
        std::this_thread::yield();
#endif
    }
};

// Calls work(member, members, meeting) in as many threads as asked for, or fewer where the system does not
// give them. `work` throws nothing.
template <class Work> void work_together(int threads, Work work) {
    std::mutex gate;
    std::unique_lock<std::mutex> shut(gate);  // until it is known how many there are
    Meeting* meeting = nullptr;
    int members = 1;
    std::vector<std::thread> helpers;
    try {
        for (int i = 1; i < threads; ++i)
            helpers.emplace_back([&, i] {
                {
                    const std::lock_guard<std::mutex> opened(gate);
                }
                work(i, members, *meeting);
            });
    } catch (const std::system_error&) {
    } catch (const std::bad_alloc&) {
        // Those there are do all.
    }
    members = int(helpers.size()) + 1;
    Meeting all(members);
    meeting = &all;
    shut.unlock();
    work(0, members, all);
    for (std::thread& helper : helpers) helper.join();
}

}  // namespace HORNBOOK_LEVEL
}  // namespace hornbook
