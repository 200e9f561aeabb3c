using Hami.Api.Asking;
using Hami.Api.Observing;
using Hami.Tests.Given;
using Microsoft.Extensions.Time.Testing;
using static Hami.Tests.Observing.TelemetryGiven;

namespace Hami.Tests.Observing;

/// <summary>What cards did at a moment: exactly while it is in memory, later on average over its five minutes.</summary>
public sealed class LookingAtPastUse
{
    [Fact]
    public async Task A_few_minutes_ago_it_is_what_was_measured_and_later_the_average_of_its_five_minutes()
    {
        var (database, clock) = (await TestPostgres.CreateDatabaseAsync(), new FakeTimeProvider(Noon));
        await using var process = new TelemetryProcess(database, clock, LedgerOf.Pods(2, 1));
        using var rows = new Rows(database);
        var past = new PastUse(process.Live, rows, clock);
        // Without a report there is no table, and nothing is known.
        Assert.Null(await AtAsync(past, Noon.AddHours(-1)));

        for (var i = 0; i < 24; i++)
        {
            clock.SetUtcNow(Noon.AddSeconds(10 * i));
            process.Live.Hear(Report("n0", Moment("n0", clock.GetUtcNow(), new(i < 12 ? 20 : 60, 1L << 30, 4L << 30, 50, i == 0 ? null : 100_000))));
        }

        var exactly = await AtAsync(past, Noon.AddSeconds(57));
        Assert.Equal((Noon.AddSeconds(50), 20, 1024L, 4096L, 50, 100.0), (exactly!.At, exactly.Busy, exactly.MemoryUsedMiB, exactly.MemoryTotalMiB, exactly.TemperatureCelsius, exactly.PowerWatts));
        Assert.Equal(60, (await AtAsync(past, Noon.AddSeconds(200)))!.Busy);
        Assert.Null(await AtAsync(past, Noon.AddSeconds(-1)));

        clock.SetUtcNow(Noon.AddMinutes(6));
        await process.WriteAsync();
        clock.SetUtcNow(Noon.AddHours(2));

        var averaged = await AtAsync(past, Noon.AddSeconds(57));
        Assert.Equal((Noon, 40, 1024L, 4096L, 50, 100.0), (averaged!.At, averaged.Busy, averaged.MemoryUsedMiB, averaged.MemoryTotalMiB, averaged.TemperatureCelsius, averaged.PowerWatts));
        Assert.Null(await AtAsync(past, Noon.AddMinutes(5)));
        Assert.Null(await past.At(Noon, [("n1", "GPU-n0-0")]).OfAsync("n1", null, CancellationToken.None));
    }

    private static Task<CardsUsage?> AtAsync(PastUse past, DateTimeOffset at) => past.At(at, [("n0", "GPU-n0-0"), ("n1", "GPU-n1-0")]).OfAsync("n0", "GPU-n0-0", CancellationToken.None);
}
