using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Hami.Api.Plumbing;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Protocol;
using Hami.Lab.ApiServer;
using Hami.Lab.Cluster;
using JasperFx.Events;
using k8s;
using k8s.Models;
using Marten;
using Npgsql;

namespace Hami.Tests.Given;

/// <summary>
/// hami-api as a process of its own, a PostgreSQL database and a stand-in API server with some nodes: everything but kubelets,
/// so that a test can play kube-scheduler, kill the process and look at what is left.
/// </summary>
internal sealed class ControlPlaneScene : IAsyncDisposable
{
    /// <summary>A kubeconfig that can be read and leads nowhere.</summary>
    public const string NobodysKubeconfig =
        """
        apiVersion: v1
        kind: Config
        current-context: nowhere
        clusters:
        - name: nowhere
          cluster: { server: "http://127.0.0.1:1" }
        users:
        - name: nobody
          user: { token: nobody }
        contexts:
        - name: nowhere
          context: { cluster: nowhere, user: nobody, namespace: default }
        """;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hami-scene-");
    private readonly HttpClient _http = new(Trusting()) { Timeout = TimeSpan.FromSeconds(60), DefaultRequestHeaders = { Authorization = new("Bearer", "lab") } };
    private readonly int _port = Loopback.FreePort();
    private readonly int _extenderPort = Loopback.FreePort();
    private readonly int _metricsPort = Loopback.FreePort();
    private readonly string[] _flags;
    private ChildProcess? _api;
    private bool _isReplica;

    private ControlPlaneScene(LabApiServer server, string database, string[] flags)
    {
        _flags = flags;
        Server = server;
        Database = NpgsqlDataSource.Create(database);
        ConnectionString = database;
        File.WriteAllText(Kubeconfig, server.Kubeconfig);
        Kubernetes = new Kubernetes(KubernetesClientConfiguration.BuildConfigFromConfigFile(Kubeconfig));
    }

    public LabApiServer Server { get; }

    public IKubernetes Kubernetes { get; }

    public NpgsqlDataSource Database { get; }

    /// <summary>Webhook and GraphQL.</summary>
    public Uri Address => OneForAll ?? new($"http://127.0.0.1:{_port}/");

    /// <summary>What kube-scheduler asks.</summary>
    public Uri Extender => OneForAll ?? new($"http://127.0.0.1:{_extenderPort}/");

    public Uri Metrics => new($"http://127.0.0.1:{_metricsPort}/metrics");

    // HAMi's one listener, where a test starts it so.
    private Uri? OneForAll => Array.IndexOf(_flags, "--http_bind") is >= 0 and var at
        ? new($"{(_flags.Contains("--cert_file") ? "https" : "http")}://{_flags[at + 1].Replace("0.0.0.0", "127.0.0.1", StringComparison.Ordinal)}/") : null;

    public string Kubeconfig => Path.Combine(_folder.FullName, "kubeconfig");

    private string LogFile => Path.Combine(_folder.FullName, "hami-api.log");

    public string ConnectionString { get; }

    /// <summary>Starts it all; the nodes n1, n2 … have the given cards.</summary>
    /// <param name="database">Connection string; null takes an empty database of the tests' server.</param>
    /// <param name="flags">More of the command line of <c>hami-api serve</c>.</param>
    public static async Task<ControlPlaneScene> StartAsync(
        int nodes = 2, int cards = 2, long memoryMiB = 10000, int slots = 10, string? database = null, params string[] flags)
    {
        var server = await LabApiServer.StartAsync(new(), CancellationToken.None);
        var scene = new ControlPlaneScene(server, database ?? await TestPostgres.CreateDatabaseAsync(), flags);
        for (var n = 1; n <= nodes; n++)
            await scene.AddNodeAsync($"n{n}", cards, memoryMiB, slots);
        await scene.StartApiAsync();
        return scene;
    }

    /// <summary>One more process of the control plane, over the same database and API server; it leaves both to the first.</summary>
    public async Task<ControlPlaneScene> StartReplicaAsync(bool untilReady = true)
    {
        var replica = new ControlPlaneScene(Server, ConnectionString, _flags) { _isReplica = true };
        await replica.StartApiAsync(untilReady);
        return replica;
    }

    /// <param name="isOurs">Whether the node agent is ours; HAMi's device plugin is there otherwise.</param>
    public async Task AddNodeAsync(string name, int cards = 2, long memoryMiB = 10000, int slots = 10, bool isOurs = true)
    {
        var devices = Enumerable.Range(0, cards).Select(c => new PublishedDevice
        {
            Id = $"GPU-{name}-{c}", Index = c, Count = slots, MemoryMiB = memoryMiB, Cores = 100, Type = "NVIDIA A100-SXM4-40GB", Mode = "hami-core", Health = true,
        }).ToList();
        var node = new V1Node
        {
            Metadata = new()
            {
                Name = name,
                Annotations = new Dictionary<string, string>(StringComparer.Ordinal) { [HamiKeys.NodeRegister] = NodeRegister.Encode(devices) },
            },
        };
        if (isOurs)
            node.Metadata.Annotations[HamiKeys.NodeAgent] = "test";
        await Kubernetes.CoreV1.CreateNodeAsync(node);
        var status = new { status = new { allocatable = new { pods = "110" }, conditions = new[] { new { type = "Ready", status = "True" } } } };
        await Kubernetes.CoreV1.PatchNodeStatusAsync(new V1Patch(status, V1Patch.PatchType.MergePatch), name);
    }

    /// <summary>Starts the control plane and waits until it says it is ready.</summary>
    public async Task StartApiAsync(bool untilReady = true)
    {
        string[] command =
        [
            "dotnet", Path.Combine(AppContext.BaseDirectory, "hami-api.dll"), "serve",
            .. OneForAll is null ? (string[])["--http", $"127.0.0.1:{_port}", "--extender", $"127.0.0.1:{_extenderPort}"] : [],
            "--metrics-bind-address", $"127.0.0.1:{_metricsPort}", "--postgres", ConnectionString, "--kubeconfig", Kubeconfig, .. _flags,
        ];
        _api = await ChildProcess.StartAsync("hami-api", command, LogFile, stopSignal: Signals.Kill,
            environment: new Dictionary<string, string?>(StringComparer.Ordinal)
            {
                // What is killed would leave its debugger's pipes behind.
                ["DOTNET_EnableDiagnostics"] = "0",
                // Nor does it live long enough for compiling its methods once more to be worth it.
                ["DOTNET_TC_CallCountingDelayMs"] = "10000",
            });
        if (untilReady)
            await UntilAsync(async () => _api.HasExited || await IsReadyAsync(), () => $"hami-api is not ready:\n{Log}");
        // The cause stands at the beginning.
        if (_api.HasExited)
            Assert.Fail($"hami-api ended with {_api.ExitCode}:\n{string.Join('\n', File.ReadLines(LogFile).Take(200))}");
    }

    /// <summary><c>kill -9</c>.</summary>
    public async Task KillApiAsync()
    {
        if (_api is null)
            return;
        _api.Kill();
        await _api.WaitForExitAsync(CancellationToken.None);
        await _api.DisposeAsync();
        _api = null;
    }

    public string Log => string.Join('\n', File.ReadLines(LogFile).TakeLast(40));

    public async Task<V1Pod> CreatePodAsync(string name, int gpu = 1, long memoryMiB = 1000, Action<V1Pod>? also = null)
    {
        var pod = Pods.Made(name, gpu, memoryMiB);
        also?.Invoke(pod);
        return await Kubernetes.CoreV1.CreateNamespacedPodAsync(pod, pod.Namespace());
    }

    public async Task<V1Pod?> FindPodAsync(string name)
    {
        var pods = await Kubernetes.CoreV1.ListNamespacedPodAsync("default", fieldSelector: $"metadata.name={name}");
        return pods.Items.SingleOrDefault();
    }

    /// <summary>As a node would after the pod's end: gone at once.</summary>
    public Task DeletePodAsync(string name, string @namespace = "default") => Kubernetes.CoreV1.DeleteNamespacedPodAsync(name, @namespace, gracePeriodSeconds: 0);

    /// <summary>What kube-scheduler posts, with the pod as the API server has it.</summary>
    public Task<JsonObject> FilterArgumentsAsync(string pod, params string[] nodes) => FilterArgumentsAsync("default", pod, nodes);

    private async Task<JsonObject> FilterArgumentsAsync(string @namespace, string pod, string[] nodes) => new()
    {
        ["Pod"] = JsonNode.Parse(await _http.GetStringAsync(new Uri(Server.Address, $"api/v1/namespaces/{@namespace}/pods/{pod}"))),
        ["Nodes"] = null,
        ["NodeNames"] = new JsonArray([.. nodes.Select(n => JsonValue.Create(n))]),
    };

    public async Task<JsonObject> FilterAsync(string pod, params string[] nodes) => await PostAsync("filter", await FilterArgumentsAsync(pod, nodes));

    public async Task<JsonObject> FilterAsync(V1Pod pod, params string[] nodes) => await PostAsync("filter", await FilterArgumentsAsync(pod.Namespace(), pod.Name(), nodes));

    public Task<JsonObject> BindAsync(V1Pod pod, string node) => PostAsync("bind", new JsonObject
    {
        ["PodName"] = pod.Name(),
        ["PodNamespace"] = pod.Namespace(),
        ["PodUID"] = pod.Uid(),
        ["Node"] = node,
    });

    public async Task<JsonObject> PostAsync(string path, JsonNode body)
    {
        using var answer = await _http.PostAsJsonAsync(At(path), body);
        return (JsonObject)JsonNode.Parse(await answer.Content.ReadAsStringAsync())!;
    }

    public Task<(int Status, string Body)> PostRawAsync(string path, string body) => PostRawAsync(At(path), body);

    public async Task<(int Status, string Body)> PostRawAsync(Uri at, string body)
    {
        using var content = new StringContent(body, System.Text.Encoding.UTF8, "application/json");
        using var answer = await _http.PostAsync(at, content);
        return ((int)answer.StatusCode, await answer.Content.ReadAsStringAsync());
    }

    /// <summary>Where a path is answered.</summary>
    public Uri At(string path) => new(path is "filter" or "bind" or "prioritize" or "preempt" ? Extender : Address, path);

    public async Task<JsonObject> QueryAsync(string query)
    {
        JsonObject? answer = null;
        // One that has just been started on a busy machine may say that the question took too long.
        await UntilAsync(async () => (answer = await PostAsync("graphql", new JsonObject { ["query"] = query }))["data"] is JsonObject, () => $"{query} is answered with {answer?.ToJsonString()}");
        return (JsonObject)answer!["data"]!;
    }

    /// <summary>MiB held of each card, by the ledger; cards without use are left out.</summary>
    public async Task<SortedDictionary<string, long>> HeldByLedgerAsync()
    {
        var data = await QueryAsync("{ nodes(first: 500) { items { devices { uuid memoryMiB usedMemoryMiB usedSlots slots } } } }");
        var held = new SortedDictionary<string, long>(StringComparer.Ordinal);
        foreach (var device in data["nodes"]!["items"]!.AsArray().SelectMany(n => n!["devices"]!.AsArray()))
        {
            var used = device!["usedMemoryMiB"]!.GetValue<long>();
            Assert.InRange(used, 0, device["memoryMiB"]!.GetValue<long>());
            Assert.InRange(device["usedSlots"]!.GetValue<int>(), 0, device["slots"]!.GetValue<int>());
            if (used > 0)
                held[device["uuid"]!.GetValue<string>()] = used;
        }
        return held;
    }

    /// <summary>MiB held of each card, by the annotations of the pods that have a node.</summary>
    public async Task<SortedDictionary<string, long>> HeldByPodsAsync()
    {
        var held = new SortedDictionary<string, long>(StringComparer.Ordinal);
        foreach (var pod in await HoldingPodsAsync())
        {
            foreach (var device in DeviceList.Decode(pod.GetAnnotation(HamiKeys.DevicesAllocated)).SelectMany(c => c))
                held[device.Uuid] = held.GetValueOrDefault(device.Uuid) + device.MemoryMiB;
        }
        return held;
    }

    /// <summary>The books must agree once nothing moves: ledger, pods and the table of live allocations.</summary>
    public Task AssertBooksAgreeAsync() => UntilAsync(
        async () => (await HeldByLedgerAsync()).SequenceEqual(await HeldByPodsAsync()) && (await LivePodsAsync()).SequenceEqual(await BoundPodsAsync(), StringComparer.Ordinal),
        () => $"""
            ledger, pods and the table of live allocations do not agree:
            {string.Join(", ", HeldByLedgerAsync().Result)}
            {string.Join(", ", HeldByPodsAsync().Result)}
            live {string.Join(", ", LivePodsAsync().Result)}
            bound {string.Join(", ", BoundPodsAsync().Result)}
            {Log}
            """);

    private async Task<IEnumerable<string>> BoundPodsAsync() => (await HoldingPodsAsync()).Select(pod => pod.Uid()).Order(StringComparer.Ordinal);

    private async Task<IEnumerable<string>> LivePodsAsync() => (await ColumnAsync("select pod_uid from hami.live_allocation")).Order(StringComparer.Ordinal);

    private async Task<IEnumerable<V1Pod>> HoldingPodsAsync() =>
        (await Kubernetes.CoreV1.ListNamespacedPodAsync("default")).Items.Where(p => p.Spec.NodeName is not null && p.GetAnnotation(HamiKeys.DevicesAllocated) is not null);

    /// <summary>At no moment of the whole log was more given out than a card has, nor two allocations to one pod.</summary>
    public Task AssertLogHoldsAsync() => LedgerAsync(after: (cluster, happened) =>
    {
        if (happened is not NodeEvent.AllocationPlaced placed)
            return;
        var use = NodeUse.Of(placed.Node, cluster.Node(placed.Node));
        for (var i = 0; i < use.Cards.Length; i++)
        {
            Assert.InRange(use.Uses[i].MemoryMiB, 0, use.Cards[i].MemoryMiB);
            Assert.InRange(use.Uses[i].Slots, 0, use.Cards[i].Slots);
        }
    });

    /// <summary>The log as a test folds it, up to a moment or to its end.</summary>
    /// <param name="until">Null for the end.</param>
    /// <param name="after">Told of each event and what it led to.</param>
    public async Task<ClusterLedger> LedgerAsync(DateTimeOffset? until = null, Action<ClusterLedger, object>? after = null)
    {
        var cluster = ClusterLedger.Empty;
        foreach (var e in await LogAsync())
        {
            if (e.Timestamp > until)
                break;
            // Throws when a pod gets a second live allocation.
            cluster = ClusterLedger.Evolve(cluster, e.StreamKey!, e.Timestamp, e.Data);
            after?.Invoke(cluster, e.Data);
        }
        return cluster;
    }

    /// <summary>The log, in its order.</summary>
    public async Task<IReadOnlyList<IEvent>> LogAsync()
    {
        using var store = DocumentStore.For(options => MartenSetup.Configure(options, ConnectionString));
        await using var session = store.QuerySession();
        return await session.Events.QueryAllRawEvents().OrderBy(e => e.Sequence).ToListAsync();
    }

    public async Task<List<string>> ColumnAsync(string sql)
    {
        await using var command = Database.CreateCommand(sql);
        await using var rows = await command.ExecuteReaderAsync();
        var column = new List<string>();
        while (await rows.ReadAsync())
            column.Add(rows.GetString(0));
        return column;
    }

    public static async Task UntilAsync(Func<Task<bool>> holds, Func<string> otherwise)
    {
        using var patience = new CancellationTokenSource(Patience);
        while (!await holds())
        {
            if (patience.IsCancellationRequested)
                Assert.Fail(otherwise());
            await Task.Delay(50);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await KillApiAsync();
        Kubernetes.Dispose();
        if (!_isReplica)
            await Server.DisposeAsync();
        await Database.DisposeAsync();
        _http.Dispose();
        _folder.Delete(recursive: true);
    }

    private static SocketsHttpHandler Trusting()
    {
        var handler = new SocketsHttpHandler();
#pragma warning disable CA5359, MA0039 // Who serves is not in question here; kube-scheduler is told the same by HAMi's chart.
        handler.SslOptions.RemoteCertificateValidationCallback = static (_, _, _, _) => true;
#pragma warning restore CA5359, MA0039
        return handler;
    }

    private async Task<bool> IsReadyAsync()
    {
        try
        {
            using var answer = await _http.GetAsync(new Uri(Address, "readyz"));
            return answer.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }
}
