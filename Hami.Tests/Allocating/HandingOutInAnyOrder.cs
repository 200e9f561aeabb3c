namespace Hami.Tests.Allocating;

/// <summary>Two to five pods on one node, and all that can come between them, by seed.</summary>
public sealed class HandingOutInAnyOrder
{
    [Fact]
    public async Task No_container_ever_gets_anothers_share_and_nothing_is_left_behind()
    {
        var started = 0;
        for (var seed = 0; seed < 250; seed++)
            started += await Stormy(seed);
        Assert.True(started > 250, $"Only {started} containers started.");
    }

    [Fact]
    public async Task Where_nothing_breaks_every_pod_runs()
    {
        for (var seed = 0; seed < 100; seed++)
            await Quiet(seed);
    }

    [Fact]
    [Trait("Category", "Long")]
    public async Task No_container_ever_gets_anothers_share_in_100_000_runs()
    {
        await Parallel.ForEachAsync(Enumerable.Range(1_000_000, 80_000), async (seed, _) => await Stormy(seed));
        await Parallel.ForEachAsync(Enumerable.Range(2_000_000, 20_000), async (seed, _) => await Quiet(seed));
    }

    private static async Task<int> Stormy(int seed)
    {
        try
        {
            await using var node = new NodeModel(seed, calm: false);
            var lot = new Random(seed);
            await node.StartAgent();
            for (var (step, steps) = (0, lot.Next(20, 60)); step < steps; step++)
            {
                await Something(node, lot);
                node.Check();
            }
            await node.Settle();
            await CleanUp(node);
            return node.Started;
        }
        catch (Exception e)
        {
            throw new InvalidOperationException($"Stormy run {seed}: {e.Message}", e);
        }
    }

    private static Task Something(NodeModel node, Random lot)
    {
        switch (lot.Next(26))
        {
            case <= 3:
                node.Bind($"p{lot.Next(5)}", lot.Next(3) == 0, [.. Enumerable.Range(0, lot.Next(1, 3)).Select(_ => lot.Next(3))], expiresFirst: lot.Next(4) == 0);
                return Task.CompletedTask;
            case <= 6:
                node.Deliver(lot.Next(1, 4));
                return Task.CompletedTask;
            case <= 11:
                return node.Admit();
            case <= 15:
                return node.StartOne();
            case 16:
                node.ExitOne();
                return Task.CompletedTask;
            case 17:
                node.DeleteOne(force: lot.Next(3) == 0);
                return Task.CompletedTask;
            case 18:
                node.CompleteOne();
                return Task.CompletedTask;
            case 19:
                node.RestartKubelet(checkpointLost: lot.Next(3) == 0);
                return Task.CompletedTask;
            case 20:
                node.KillAgentWithin(lot.Next(1, 15));
                return Task.CompletedTask;
            case 21:
                return node.EndAgent();
            case 22:
                return node.StartAgent();
            case 23:
                node.TurnApi(away: lot.Next(2) == 0);
                return Task.CompletedTask;
            case 24:
                node.PodResourcesSilent = lot.Next(3) == 0;
                return Task.CompletedTask;
            default:
                return node.Sweep(TimeSpan.FromMinutes(lot.Next(8)));
        }
    }

    // Pods come and go, watches are late, containers restart, the kubelet ignores no hint; nothing else.
    private static async Task Quiet(int seed)
    {
        try
        {
            await using var node = new NodeModel(seed, calm: true);
            var lot = new Random(seed);
            await node.StartAgent();
            for (var (step, steps) = (0, lot.Next(20, 60)); step < steps; step++)
            {
                switch (lot.Next(12))
                {
                    case <= 1:
                        node.Bind($"p{lot.Next(5)}", lot.Next(3) == 0, [.. Enumerable.Range(0, lot.Next(1, 3)).Select(_ => lot.Next(3))], expiresFirst: lot.Next(4) == 0);
                        break;
                    case <= 3:
                        node.Deliver(lot.Next(1, 4));
                        break;
                    case <= 6:
                        await node.Admit();
                        break;
                    case <= 9:
                        await node.StartOne();
                        break;
                    case 10:
                        node.ExitOne();
                        break;
                    default:
                        if (lot.Next(3) == 0)
                            node.DeleteOne(force: false);
                        break;
                }
                node.Check();
            }
            await node.Settle();
            Assert.True(node.Rejected == 0, $"A pod was rejected.\n{node.Story}");
            Assert.True(node.Stuck.Count == 0, $"{string.Join(", ", node.Stuck)} do not start.\n{node.Story}");
            await CleanUp(node);
        }
        catch (Exception e)
        {
            throw new InvalidOperationException($"Quiet run {seed}: {e.Message}", e);
        }
    }

    private static async Task CleanUp(NodeModel node)
    {
        node.DeleteAll();
        await node.Sweep(TimeSpan.FromMinutes(6));
        Assert.True(node.Folders.Count == 0, $"Left behind: {string.Join(", ", node.Folders)}\n{node.Story}");
    }
}
