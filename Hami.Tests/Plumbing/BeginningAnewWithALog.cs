using Hami.Api.Plumbing;
using Hami.Domain.Ledger;

namespace Hami.Tests.Plumbing;

public sealed class BeginningAnewWithALog
{
    [Fact]
    public async Task What_a_process_says_of_itself_is_said_again_to_a_log_that_took_the_place_of_another()
    {
        using var log = new FollowedLog();
        using var stop = new CancellationTokenSource();
        using var said = new SemaphoreSlim(0);
        log.Began(ClusterLedger.Empty);

        var saying = log.ForEachAsync(_ => Task.FromResult(said.Release()), stop.Token);
        Assert.True(await said.WaitAsync(TimeSpan.FromSeconds(30)));
        log.Committed(ClusterLedger.Empty, []);
        Assert.Equal(0, said.CurrentCount);
        log.Began(ClusterLedger.Empty);
        Assert.True(await said.WaitAsync(TimeSpan.FromSeconds(30)));

        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => saying);
        Assert.Equal(0, said.CurrentCount);
    }
}
