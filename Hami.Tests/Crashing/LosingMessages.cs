namespace Hami.Tests.Crashing;

/// <summary>
/// Requests and replies between the control plane, PostgreSQL and the API server are lost, cut, late and repeated, by seed, and processes
/// end at any message; nothing is given twice, lost or left over.
/// </summary>
public sealed class LosingMessages
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 2)]
    public Task Forty_rounds_by_seed(int batch, int replicas) => RoundsAsync(batch, replicas, rounds: 40);

    [Theory]
    [Trait("Category", "Long")]
    [InlineData(11, 1)]
    [InlineData(12, 2)]
    [InlineData(13, 3)]
    public Task A_thousand_rounds_by_seed(int batch, int replicas) => RoundsAsync(batch, replicas, rounds: 1000);

    /// <summary>A process whose network is gone, as seen from PostgreSQL: its session holds the writers' lock until PostgreSQL ends it.</summary>
    [Fact]
    [Trait("Category", "Long")]
    public async Task A_writer_that_PostgreSQL_does_not_hear_of_any_more_holds_the_others_up_and_loses_nothing()
    {
        await using var scene = await CrashScene.StartAsync(replicas: 2);
        scene.LetHappen(Fault.Delay, Fault.Hang, Fault.LoseReply);
        for (var round = 0; round < 20; round++)
            await scene.RoundAsync(RoundPlan.Of(2_000_000 + round, mayCrash: false) with { PerThousand = 15 });
        await scene.AssertDerivedAsync(2_000_000);
        await scene.AssertNothingLeaksAsync(2_000_000);
    }

    private static async Task RoundsAsync(int batch, int replicas, int rounds)
    {
        const int CrashesEvery = 8;
        await using var scene = await CrashScene.StartAsync(replicas);
        for (var round = 0; round < rounds; round++)
            await scene.RoundAsync(RoundPlan.Of(batch * 100_000 + round, mayCrash: round % CrashesEvery == CrashesEvery - 1));
        await scene.AssertDerivedAsync(batch);
        await scene.AssertNothingLeaksAsync(batch);
        Assert.InRange(await scene.CheckpointsAsync(), rounds / CrashesEvery, rounds * 4);
        Assert.InRange(scene.Crashes, rounds / CrashesEvery / 2, rounds);
    }
}
