using System.Diagnostics;
using System.Text;
using Hami.Api.Plumbing;
using Hami.Api.Reading;
using Hami.Api.Replaying;
using Hami.Domain.Protocol;
using Hami.Lab.ApiServer;
using Hami.Tests.Given;
using k8s;
using k8s.Models;
using Marten;
using Npgsql;

namespace Hami.Tests.Crashing;

/// <summary>Processes of the control plane over one log and one API server, and a kube-scheduler that lets round after round of pods live and end.</summary>
internal sealed class CrashScene : IAsyncDisposable
{
    private const int Nodes = 3;
    private const int MostTries = 6;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly LabApiServer _server;
    private readonly string _database;
    private readonly int _checkpointEvery;
    private readonly Kubernetes _kubernetes;
    private readonly DocumentStore _store;
    private readonly NpgsqlDataSource _rows;
    private readonly BooksCheck _books;
    private readonly ControlPlaneInside[] _processes;
    private readonly List<Task> _dropped = [];
    private volatile bool _isQuiet = true;
    private int _started;

    private CrashScene(LabApiServer server, string database, int replicas, int checkpointEvery)
    {
        (_server, _database, _checkpointEvery) = (server, database, checkpointEvery);
        using var kubeconfig = new MemoryStream(Encoding.UTF8.GetBytes(server.Kubeconfig));
        _kubernetes = new(KubernetesClientConfiguration.BuildConfigFromConfigFile(kubeconfig));
        _rows = NpgsqlDataSource.Create(database);
        _store = DocumentStore.For(options =>
        {
            MartenSetup.Configure(options, database);
            options.Connection(_rows);
        });
        _books = new(_kubernetes, _store);
        _processes = new ControlPlaneInside[replicas];
    }

    /// <summary>How often a process ended without a word.</summary>
    public int Crashes { get; private set; }

    /// <summary>Connection string that leads past all wires.</summary>
    public string Database => _database;

    private static IReadOnlyList<string> NodeNames { get; } = [.. Enumerable.Range(1, Nodes).Select(n => $"n{n}")];

    public static async Task<CrashScene> StartAsync(int replicas, int checkpointEvery = 40)
    {
        var scene = new CrashScene(await LabApiServer.StartAsync(new(), CancellationToken.None), await TestPostgres.CreateDatabaseAsync(), replicas, checkpointEvery);
        foreach (var node in NodeNames)
            await scene.AddNodeAsync(node);
        for (var i = 0; i < replicas; i++)
            await scene.StartProcessAsync(i, FaultPlan.Quiet, FaultPlan.Quiet);
        // Also the read models: while the first ones are swapped for those of the log, nobody can compare them.
        await scene.UntilAsync(async () => scene._processes.All(p => p.WhyNotReady is null) && await scene.LagAsync() == 0, () => $"they do not start:\n{scene.Logs}");
        return scene;
    }

    /// <summary>What may happen to messages to PostgreSQL of the processes that run, instead of the usual.</summary>
    public void LetHappen(params Fault[] toPostgres) => Array.ForEach(_processes, p => p.LetHappen(toPostgres));

    /// <summary>One round; at its end nothing is lost, doubled or left over, or the test fails with the seed.</summary>
    public async Task RoundAsync(RoundPlan plan)
    {
        _isQuiet = false;
        for (var i = 0; i < _processes.Length; i++)
            _processes[i].Follow(plan.ToPostgres(i), plan.ToKubernetes(i));
        using var over = new CancellationTokenSource();
        var supervising = SuperviseAsync(plan, over.Token);
        // What stands from rounds before ends within this one.
        var before = (await _kubernetes.CoreV1.ListNamespacedPodAsync("default")).Items;
        var lives = Task.WhenAll([.. plan.Pods.Select(p => LiveAsync(p, plan)), .. before.Select((p, i) => EndAsync(p, TimeSpan.FromMilliseconds(i * 5)))]);
        if (await Task.WhenAny(lives, Task.Delay(Patience * 4)) != lives)
            Assert.Fail($"seed {plan.Seed}: somebody is not answered:\n{Logs}");
        await lives;

        _isQuiet = true;
        foreach (var process in _processes)
        {
            process.Follow(FaultPlan.Quiet, FaultPlan.Quiet);
            await process.NothingLate;
        }
        await SettleAsync(plan);
        await over.CancelAsync();
        await supervising;
    }

    /// <summary>At the end of many rounds: what is derived from the log behind its back is what the log says.</summary>
    public async Task AssertDerivedAsync(int seed)
    {
        await UntilAsync(async () => await LagAsync() == 0, () => $"seed {seed}: the read models do not follow the log:\n{Logs}");
        await AssertVerifiesAsync($"seed {seed}");
    }

    /// <summary>How many checkpoints were stored; that each is what the log folds to is verified with the log.</summary>
    public async Task<long> CheckpointsAsync()
    {
        await using var command = _rows.CreateCommand($"select count(*) from {MartenSetup.Schema}.checkpoint");
        return (long)(await command.ExecuteScalarAsync())!;
    }

    /// <summary>Where the log ends.</summary>
    public async Task<long> HeadAsync() => (await JournalHeads.ReadAsync(_rows, CancellationToken.None))?.Position ?? 0;

    /// <summary>After the database was shut for a while: connections that were kept lead nowhere.</summary>
    public void Reconnect() => _rows.Clear();

    /// <summary>The log is another one, that ends before a position: every process notices without being asked anything.</summary>
    public async Task AssertBeginsAnewAsync(long before)
    {
        _books.BeginAnew();
        await UntilAsync(
            async () => (await _books.DifferencesAsync(_processes)).Length == 0 && await HeadAsync() < before, () => $"another log is not noticed:\n{Logs}");
    }

    /// <summary>Ends all pods: then nobody holds anything.</summary>
    public async Task AssertNothingLeaksAsync(int seed)
    {
        foreach (var pod in (await _kubernetes.CoreV1.ListNamespacedPodAsync("default")).Items)
            await DeleteAsync(pod);
        await UntilAsync(
            () => _processes.All(p => p.Journal.Ledger is { LiveByPod.IsEmpty: true, Waiting.IsEmpty: true }), () => $"seed {seed}: shares leaked:\n{Logs}");
    }

    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(_processes.OfType<ControlPlaneInside>().Select(p => p.DisposeAsync().AsTask()));
        await Task.WhenAll(_dropped);
        _kubernetes.Dispose();
        await _rows.DisposeAsync();
        _store.Dispose();
        await _server.DisposeAsync();
    }

    private string Logs => string.Join("\n--\n", _processes.Select(p => $"{p.WhyNotReady ?? "ready"}\n{p.Log}"));

    private async Task StartProcessAsync(int at, FaultPlan toPostgres, FaultPlan toKubernetes)
    {
        _started++;
        _processes[at] = await ControlPlaneInside.StartAsync(_database, _server, toPostgres, toKubernetes, _checkpointEvery);
    }

    /// <summary>Starts anew what has ended, a while later.</summary>
    private async Task SuperviseAsync(RoundPlan plan, CancellationToken over)
    {
        var ended = _processes[0].Ended;
        await ended.WaitAsync(over).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!ended.IsCompleted)
            return;
        Crashes++;
        _dropped.Add(_processes[0].DisposeAsync().AsTask());
        await Task.Delay(plan.RestartsAfter, CancellationToken.None);
        await StartProcessAsync(0, plan.ToPostgres(_started + 10), plan.ToKubernetes(_started + 10));
        if (_isQuiet)
            _processes[0].Follow(FaultPlan.Quiet, FaultPlan.Quiet);
    }

    /// <summary>As kube-scheduler does with a pod: again and again, until it is bound or gone.</summary>
    private async Task LiveAsync(PodPlan plan, RoundPlan round)
    {
        await Task.Delay(plan.ComesAfter);
        var pod = await CreatePodAsync(plan);
        var ending = plan.End is PodEnd.DeletedEarly ? EndAsync(pod, plan.EndsAfter) : Task.CompletedTask;
        for (var tries = 0; tries < MostTries; tries++)
        {
            var filtering = await ReadyAsync(plan.Filtering + tries, round);
            if (await NowAsync(pod) is not { } now || !string.IsNullOrEmpty(now.Spec.NodeName))
                break;
            var (node, _) = await filtering.FilterAsync(now, NodeNames);
            if (node is null)
            {
                await Task.Delay(10);
                continue;
            }
            var binding = await ReadyAsync(plan.Binding + tries, round);
            var again = plan.Twice ? BoundAsync(await ReadyAsync(plan.Binding + tries + 1, round), now, node) : Task.FromResult(false);
            if (await BoundAsync(binding, now, node) | await again)
                break;
        }
        await ending;
        if (plan.End is PodEnd.Deleted or PodEnd.Succeeded or PodEnd.Failed)
        {
            await Task.Delay(plan.EndsAfter);
            if (plan.End is PodEnd.Deleted)
                await DeleteAsync(pod);
            else
                await FinishAsync(pod, plan.End.ToString());
        }
    }

    /// <summary>Who asks one that has ended is told nothing.</summary>
    private static async Task<bool> BoundAsync(ControlPlaneInside process, V1Pod pod, string node)
    {
        var bound = process.BindAsync(pod, node);
        return await Task.WhenAny(bound, process.Ended) == bound && (await bound).Length == 0;
    }

    private async Task<ControlPlaneInside> ReadyAsync(int which, RoundPlan round)
    {
        ControlPlaneInside process;
        // One that is not ready would say so; the next one may be.
        await UntilAsync(() => _processes[which++ % _processes.Length].WhyNotReady is null, () => $"seed {round.Seed}: no process gets ready:\n{Logs}");
        process = _processes[(which - 1) % _processes.Length];
        return process;
    }

    private async Task SettleAsync(RoundPlan plan)
    {
        var differences = "";
        await UntilAsync(
            async () => (differences = await _books.DifferencesAsync(_processes)).Length == 0,
            () => $"seed {plan.Seed}: the books do not agree: {differences}\n{Logs}");
        await AssertVerifiesAsync($"seed {plan.Seed}");
    }

    private async Task AssertVerifiesAsync(string round)
    {
        var report = await new LogVerification(_rows, _processes[0].Events).RunAsync([], null, CancellationToken.None);
        Assert.True(report.IsIntact, $"{round}: {string.Join('\n', report.Findings)}\n{Logs}");
    }

    /// <summary>Events that the read models have not folded yet.</summary>
    private async Task<long> LagAsync()
    {
        try
        {
            await using var command = _rows.CreateCommand($"select h.position - r.position from {MartenSetup.Schema}.journal_head h, {ReadTables.Head} r");
            return await command.ExecuteScalarAsync() as long? ?? long.MaxValue;
        }
        catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.UndefinedTable)
        {
            // Not there yet.
            return long.MaxValue;
        }
    }

    private async Task AddNodeAsync(string name)
    {
        var devices = Enumerable.Range(0, 2).Select(c => new PublishedDevice
        {
            Id = $"GPU-{name}-{c}", Index = c, Count = 3, MemoryMiB = 8000, Cores = 100, Type = "NVIDIA A100-SXM4-40GB", Mode = "hami-core", Health = true,
        }).ToList();
        await _kubernetes.CoreV1.CreateNodeAsync(new()
        {
            Metadata = new()
            {
                Name = name,
                Annotations = new Dictionary<string, string>(StringComparer.Ordinal) { [HamiKeys.NodeRegister] = NodeRegister.Encode(devices), [HamiKeys.NodeAgent] = "test" },
            },
        });
        var status = new { status = new { allocatable = new { pods = "110" }, conditions = new[] { new { type = "Ready", status = "True" } } } };
        await _kubernetes.CoreV1.PatchNodeStatusAsync(new V1Patch(status, V1Patch.PatchType.MergePatch), name);
    }

    private Task<V1Pod> CreatePodAsync(PodPlan plan) =>
        _kubernetes.CoreV1.CreateNamespacedPodAsync(Pods.Made(plan.Name, plan.Cards, plan.MemoryMiB), "default");

    private async Task<V1Pod?> NowAsync(V1Pod pod)
    {
        var found = await _kubernetes.CoreV1.ListNamespacedPodAsync("default", fieldSelector: $"metadata.name={pod.Name()}");
        return found.Items.SingleOrDefault(p => p.Uid() == pod.Uid());
    }

    private async Task EndAsync(V1Pod pod, TimeSpan after)
    {
        await Task.Delay(after);
        await DeleteAsync(pod);
    }

    private async Task DeleteAsync(V1Pod pod)
    {
        try
        {
            await _kubernetes.CoreV1.DeleteNamespacedPodAsync(pod.Name(), "default", gracePeriodSeconds: 0);
        }
        catch (k8s.Autorest.HttpOperationException e) when (e.Response.StatusCode is System.Net.HttpStatusCode.NotFound)
        {
            // Gone already.
        }
    }

    private async Task FinishAsync(V1Pod pod, string phase)
    {
        try
        {
            await _kubernetes.CoreV1.PatchNamespacedPodStatusAsync(new V1Patch(new { status = new { phase } }, V1Patch.PatchType.MergePatch), pod.Name(), "default");
        }
        catch (k8s.Autorest.HttpOperationException e) when (e.Response.StatusCode is System.Net.HttpStatusCode.NotFound)
        {
            // Gone already.
        }
    }

    private Task UntilAsync(Func<bool> holds, Func<string> otherwise) => UntilAsync(() => Task.FromResult(holds()), otherwise);

    private async Task UntilAsync(Func<Task<bool>> holds, Func<string> otherwise)
    {
        var since = Stopwatch.GetTimestamp();
        while (!await holds())
        {
            if (Stopwatch.GetElapsedTime(since) > Patience)
                Assert.Fail(otherwise());
            await Task.Delay(5);
        }
    }
}
