// The engine's logger, which is one per process: its lines go to Rust, its categories come from there.

#include "enginebridge/src/ffi.rs.h"

#include <logging.h>
#include <util/time.h>

#include <mutex>
#include <span>
#include <string>
#include <string_view>

namespace bridge {
namespace {
BCLog::Level level_of(std::uint8_t level)
{
    switch (level) {
    case 0: return BCLog::Level::Trace;
    case 1: return BCLog::Level::Debug;
    case 2: return BCLog::Level::Info;
    case 3: return BCLog::Level::Warning;
    default: return BCLog::Level::Error;
    }
}
} // namespace

//! Starts handing lines to Rust, those kept since the program started first. Thread, place, category and level are put
//! in front of the text and taken apart again on the other side, because the logger hands out whole lines only.
void start_logging()
{
    static std::once_flag once;
    std::call_once(once, [] {
        BCLog::Logger& logger = LogInstance();
        logger.m_print_to_console = false;
        logger.m_print_to_file = false;
        logger.m_log_timestamps = false;
        logger.m_log_threadnames = true;
        logger.m_log_sourcelocations = true;
        logger.m_always_print_category_level = true;
        logger.PushBackCallback([](const std::string& line) {
            log_line(rust::Slice<const std::uint8_t>(reinterpret_cast<const std::uint8_t*>(line.data()), line.size()));
        });
        logger.StartLogging();
    });
}

bool set_log_category(rust::Str name, bool enabled)
{
    const std::string_view category{name.data(), name.size()};
    return enabled ? LogInstance().EnableCategory(category) : LogInstance().DisableCategory(category);
}

void set_log_level(std::uint8_t level)
{
    LogInstance().SetLogLevel(level_of(level));
}

bool set_log_category_level(rust::Str name, std::uint8_t level)
{
    const auto flag = BCLog::Logger::GetLogCategory(std::string_view{name.data(), name.size()});
    if (!flag || *flag == BCLog::NONE) return false;
    LogInstance().AddCategoryLogLevel(*flag, level_of(level));
    return true;
}

//! Sets the clock to a Unix time; 0 is the system's again.
void set_clock(std::int64_t time)
{
    SetMockTime(time);
}
} // namespace bridge
