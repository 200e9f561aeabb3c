using Hami.Tests.Given;

namespace Hami.Tests.Plumbing;

public sealed class ListeningForTheLog
{
    private const string Sequence = "hami.mt_events_sequence";

    [Fact]
    public async Task The_listener_looks_again_although_less_than_a_millisecond_is_left_of_its_pause()
    {
        await using var log = await TestJournal.StartAsync(
            await TestPostgres.CreateDatabaseAsync(), listening: new StridingTime(TimeSpan.FromMilliseconds(99.6)));
        await LogScript.WriteAsync(log, seed: 1, steps: 40);

        for (var look = 1; look <= 3; look++)
        {
            await ControlPlaneScene.UntilAsync(
                async () => await NumberAsync($"select last_value from {Sequence}") == log.Journal.Ledger.Position, () => $"look {look} never came");
            Assert.Equal(1, await NumberAsync($"select setval('{Sequence}', 1, false)"));
        }

        async Task<long> NumberAsync(string sql)
        {
            await using var command = log.Database.CreateCommand(sql);
            return (long)(await command.ExecuteScalarAsync(TestContext.Current.CancellationToken))!;
        }
    }

    /// <summary>Each time somebody looks at it, it is one stride later.</summary>
    private sealed class StridingTime(TimeSpan stride) : TimeProvider
    {
        private long _now;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Interlocked.Add(ref _now, stride.Ticks);
    }
}
