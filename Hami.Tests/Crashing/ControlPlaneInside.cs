using System.Text;
using System.Text.Json.Nodes;
using Hami.Api;
using Hami.Api.Access;
using Hami.Api.Asking;
using Hami.Api.Binding;
using Hami.Api.Placing;
using Hami.Api.Plumbing;
using Hami.Api.Plumbing.Kubernetes;
using Hami.Api.Plumbing.Listening;
using Hami.Api.Replaying;
using Hami.Domain.Placing;
using Hami.Domain.Protocol;
using Hami.Lab.ApiServer;
using k8s;
using k8s.Models;
using Mediator;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Hami.Tests.Crashing;

/// <summary>
/// All of hami-api but its listeners, in the tests' process, with wires to PostgreSQL and to the API server that can lose what goes
/// through. Once both are cut, nothing it still does is seen by anybody: that is its crash.
/// </summary>
internal sealed class ControlPlaneInside : IAsyncDisposable
{
    private const int Haste = 20;

    private readonly IHost _host;
    private readonly PostgresWire _postgres;
    private readonly KubernetesWire _kubernetes;
    private readonly LastLines _lines;
    private readonly Readiness _readiness;
    private readonly FilterHandler _filter;
    private readonly ISender _sender;
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private ControlPlaneInside(IHost host, PostgresWire postgres, KubernetesWire kubernetes, LastLines lines)
    {
        (_host, _postgres, _kubernetes, _lines) = (host, postgres, kubernetes, lines);
        (postgres.OnEnd, kubernetes.OnEnd) = (Crash, Crash);
        // Taken out now: it is asked things while it is being dropped.
        (Journal, View, Events) = (Get<Journal>(), Get<ClusterView>(), Get<StoredEvents>());
        (_readiness, _filter, _sender) = (Get<Readiness>(), Get<FilterHandler>(), Get<ISender>());
    }

    public Journal Journal { get; }

    public ClusterView View { get; }

    public StoredEvents Events { get; }

    /// <summary>Completes when it has crashed.</summary>
    public Task Ended => _ended.Task;

    /// <summary>Null when it may decide.</summary>
    public string? WhyNotReady => Ended.IsCompleted ? "it has ended" : _readiness.WhyNot;

    /// <summary>Completes when no request is on its way any more whose sender has given it up.</summary>
    public Task NothingLate => _kubernetes.NothingLate;

    /// <summary>What it logged last.</summary>
    public string Log => _lines.ToString();

    /// <summary>Starts one; returns at once, before it is ready.</summary>
    /// <param name="checkpointEvery">Events between two checkpoints.</param>
    public static async Task<ControlPlaneInside> StartAsync(string database, LabApiServer server, FaultPlan toPostgres, FaultPlan toKubernetes, int checkpointEvery)
    {
        var (postgres, kubernetes, lines) = (new PostgresWire(database), new KubernetesWire(), new LastLines());
        postgres.Follow(toPostgres);
        kubernetes.Follow(toKubernetes);
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Logging.AddProvider(lines).SetMinimumLevel(LogLevel.Warning);
        // What is dropped is not waited for.
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(10));
        Server.AddServices(builder.Services, Options(postgres.ConnectionString));
        // Nobody asks questions here.
        builder.Services.Remove(builder.Services.Single(s => s.ImplementationType == typeof(FirstQuestion)));
        builder.Services.AddSingleton<TimeProvider>(new HastyTime(Haste));
        builder.Services.AddSingleton(s => new Checkpoints(s.GetRequiredService<NpgsqlDataSource>(), s.GetRequiredService<ILogger<Checkpoints>>(), checkpointEvery));
        builder.Services.AddSingleton<IKubernetes>(_ =>
        {
            using var kubeconfig = new MemoryStream(Encoding.UTF8.GetBytes(server.Kubeconfig));
            return new Kubernetes(KubernetesClientConfiguration.BuildConfigFromConfigFile(kubeconfig), kubernetes.Handler());
        });
        var process = new ControlPlaneInside(builder.Build(), postgres, kubernetes, lines);
        await process._host.StartAsync();
        return process;
    }

    /// <summary>From here on, what the plans say happens to its messages.</summary>
    public void Follow(FaultPlan toPostgres, FaultPlan toKubernetes)
    {
        _postgres.Follow(toPostgres);
        _kubernetes.Follow(toKubernetes);
    }

    /// <summary>What may happen to its messages to PostgreSQL, instead of the usual.</summary>
    public void LetHappen(params Fault[] toPostgres) => _postgres.Possible = toPostgres;

    /// <summary>As <c>kill -9</c> looks from without.</summary>
    public void Crash()
    {
        _postgres.Cut();
        _kubernetes.Cut();
        _ended.TrySetResult();
    }

    /// <summary>What kube-scheduler asks, with the pod as the API server has it.</summary>
    /// <returns>The node, or why there is none.</returns>
    public async Task<(string? Node, string? WhyNot)> FilterAsync(V1Pod pod, IReadOnlyList<string> nodes)
    {
        var body = new JsonObject
        {
            ["Pod"] = JsonNode.Parse(KubernetesJson.Serialize(pod)),
            ["NodeNames"] = new JsonArray([.. nodes.Select(n => JsonValue.Create(n))]),
        };
        var answer = await _filter.Handle(new(ExtenderArguments.Read(Encoding.UTF8.GetBytes(body.ToJsonString()), View)), CancellationToken.None);
        return answer.Passed is [var at, ..] ? (answer.Offer!.Names[at], null)
            : (null, answer.Error.Length > 0 ? answer.Error : "refused");
    }

    /// <returns>Empty when the pod is bound.</returns>
    public async Task<string> BindAsync(V1Pod pod, string node) =>
        (await _sender.Send(new Bind(pod.Namespace(), pod.Name(), pod.Uid(), node))).Error;

    /// <summary>Without a word to anybody.</summary>
    public async ValueTask DisposeAsync()
    {
        Crash();
        using var atOnce = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        try
        {
            await _host.StopAsync(atOnce.Token);
        }
        catch (Exception e) when (e is OperationCanceledException or AggregateException or NpgsqlException)
        {
            // It was to end badly.
        }
        await ((IAsyncDisposable)_host).DisposeAsync();
        await _postgres.DisposeAsync();
        await _kubernetes.DisposeAsync();
    }

    private T Get<T>() where T : notnull => _host.Services.GetRequiredService<T>();

    private static ServeOptions Options(string postgres) => new(
        new ListenOptions([], null, null, null),
        new ClusterOptions(null, new ClientLimits(0, 10, TimeSpan.Zero), ""),
        new PlacementOptions(
            "hami-scheduler", true, NodePolicy.Binpack, CardPolicy.Spread, ExtenderMode.Single, TimeSpan.FromSeconds(60),
            new(TimeSpan.FromMinutes(5), TimeSpan.FromSeconds(28)), NvidiaConfig.Hami),
        new ResultOptions(null, Adopt: false), new AccessOptions(AuthMode.None), postgres, LegacyMetrics: false, Profiling: false, []);

    /// <summary>The last warnings and errors.</summary>
    private sealed class LastLines : ILoggerProvider, ILogger
    {
        private const int Kept = 40;

        private readonly Queue<string> _lines = new();

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (!IsEnabled(logLevel))
                return;
            lock (_lines)
            {
                _lines.Enqueue($"{formatter(state, exception)} {exception?.GetType().Name} {exception?.Message}".TrimEnd());
                if (_lines.Count > Kept)
                    _lines.Dequeue();
            }
        }

        public override string ToString()
        {
            lock (_lines)
                return string.Join('\n', _lines);
        }

        public void Dispose()
        {
            // Nothing is held.
        }
    }
}
