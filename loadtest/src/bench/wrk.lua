-- Sends the requests of a file, ready made and each ended by a NUL, over and over: a request costs wrk one look-up.
-- In one thread, so that they come in their order.
local requests, count, sent = {}, 0, 0

function init()
    local file = assert(io.open(os.getenv("WRK_REQUESTS"), "rb"))
    for request in file:read("*a"):gmatch("([^%z]+)%z") do
        count = count + 1
        requests[count] = request
    end
    file:close()
end

function request()
    sent = sent % count + 1
    return requests[sent]
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format("RESULT %d %d %d %d %d %d\n", summary.requests, summary.duration,
        latency:percentile(50), latency:percentile(99), errors.status,
        errors.connect + errors.read + errors.write + errors.timeout))
end
