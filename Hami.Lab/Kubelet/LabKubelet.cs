using System.Net;
using System.Security.Cryptography.X509Certificates;
using System.Threading.Channels;
using Hami.Lab.Kubelet.Lifecycle;
using Hami.Lab.Kubelet.Volumes;
using k8s.Models;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Hami.Lab.Kubelet;

/// <summary>Stands in for one node's kubelet: speaks to device plugins as a kubelet does and runs containers as local processes.</summary>
public sealed partial class LabKubelet : IAsyncDisposable
{
    private readonly LabKubeletOptions _options;
    private readonly ILogger _log;
    private readonly KubeletPaths _paths;
    private readonly DevicePlugins _plugins;
    private readonly DeviceLedger _ledger = new();
    private readonly PodDirectory _pods = new();
    private readonly Launcher _launcher = new();
    private readonly KubeletEvents _events;
    private readonly NodeGate _gate;
    private readonly Handlers _handlers;
    private readonly Leftovers _leftovers;
    private readonly PodSurroundings _surroundings;
    private readonly Channel<PodWorker> _admissions = Channel.CreateUnbounded<PodWorker>();
    private readonly CancellationTokenSource _stop = new();
    private IReadOnlyList<string> _remembered = [];
    private WebApplication? _server;
    private X509Certificate2? _certificate;
    private Task _loops = Task.CompletedTask;
    private long _turn;

    private LabKubelet(LabKubeletOptions options)
    {
        _options = options;
        _log = options.Logging.CreateLogger<LabKubelet>();
        _paths = KubeletPaths.Create(options.Directory);
        _plugins = new(_paths.Plugins, options.Time, options.Logging.CreateLogger<DevicePlugins>());
        var admission = new Admission(
            new PluginDevices(_plugins, options.DeviceResources.ToList()), _ledger, new Random(options.Seed), WriteCheckpoint);
        var node = new NodeSurroundings(
            options.NodeName,
            Path.GetFullPath(options.ProgramsDirectory),
            Path.GetFullPath(options.DriverDirectory),
            Path.GetFullPath(options.DriverDevicesFile),
            Environment.GetEnvironmentVariable("PATH") ?? "/usr/local/bin:/usr/bin:/bin",
            options.Address);
        _events = new(options, options.Logging.CreateLogger<KubeletEvents>());
        _gate = new(_pods, _plugins);
        _handlers = new(_launcher, options.Address, options.Time);
        _leftovers = new(_paths, options.Logging.CreateLogger<Leftovers>());
        var sources = new ConfigSources(options.Kubernetes);
        _surroundings = new(
            options, node, _paths, _launcher, sources, new(options.Kubernetes, sources, node), _handlers, admission, _gate, _plugins, _ledger, _leftovers, _events, options.Logging.CreateLogger<PodWorker>());
    }

    /// <summary>The kubelet's own HTTPS server: logs and health.</summary>
    public Uri Address { get; private set; } = null!;

    /// <summary>The folder in which plugins make their sockets and find <c>kubelet.sock</c>.</summary>
    public string PluginsDirectory => _paths.Plugins;

    public string PodResourcesSocket => _paths.PodResourcesSocket;

    public string CheckpointFile => _paths.Checkpoint;

    /// <summary>Starts the kubelet; returns when its sockets answer and its node is Ready. Throws when a socket's path would be too long.</summary>
    public static async Task<LabKubelet> StartAsync(LabKubeletOptions options, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(options);
        var kubelet = new LabKubelet(options);
        try
        {
            await kubelet.Start(cancellationToken);
            return kubelet;
        }
        catch
        {
            await kubelet.DisposeAsync();
            throw;
        }
    }

    /// <summary>Runs another command with the environment of a running container, as CRI's ExecSync would. Throws when the container does not run.</summary>
    public async Task<ContainerRun> ExecAsync(
        string podNamespace, string pod, string container, IReadOnlyList<string> command, CancellationToken cancellationToken)
    {
        var process = _pods.Find(podNamespace, pod)?.Container(container)?.Process
            ?? throw new InvalidOperationException($"The container {container} of the pod {podNamespace}/{pod} does not run on node {_options.NodeName}.");
        return await process.Exec(_launcher, command, cancellationToken);
    }

    /// <summary>Stops the node: its containers are killed, its pods stay as they are in the API server.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _loops.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await Task.WhenAll(_pods.All.Select(p => p.DisposeAsync().AsTask())).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _plugins.DisposeAsync();
        if (_server is not null)
            await _server.DisposeAsync();
        _certificate?.Dispose();
        _handlers.Dispose();
        _launcher.Dispose();
        _stop.Dispose();
    }

    private async Task Start(CancellationToken cancellationToken)
    {
        KillStaleContainers();
        RestoreCheckpoint();
        DeleteSockets();
        _server = await Serve(cancellationToken);

        var node = new NodeObject(_options, _plugins, Address.Port, _options.Logging.CreateLogger<NodeObject>());
        _plugins.Changed = () =>
        {
            node.Changed();
            TryWriteCheckpoint();
        };
        await node.Register(cancellationToken);
        _gate.Node = node;
        var lease = new NodeLease(_options, _options.Logging.CreateLogger<NodeLease>());
        var listed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _loops = Task.WhenAll(
            Loops.Run("node status", () => node.KeepFresh(_stop.Token), _log, _stop.Token),
            Loops.Run("lease", () => lease.KeepFresh(_stop.Token), _log, _stop.Token),
            Loops.Run("events", () => _events.WriteAll(_stop.Token), _log, _stop.Token),
            Loops.Run("pods", () => WatchPods(listed), _log, _stop.Token),
            Loops.Run("admission", AdmitOneByOne, _log, _stop.Token));
        await listed.Task.WaitAsync(cancellationToken);
        Runs(_log, _options.NodeName, _paths.Root);
    }

    private async Task<WebApplication> Serve(CancellationToken cancellationToken)
    {
        // Empty: the usual builders each watch an appsettings.json, and a machine has inotify instances for some hundred kubelets at most.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ContentRootPath = _paths.Root });
        builder.WebHost.UseKestrelCore();
        builder.Logging.AddProvider(new OurLogging(_options.Logging)).SetMinimumLevel(LogLevel.Warning);
        builder.Services.AddRouting().AddGrpc();
        builder.Services.AddSingleton(_plugins);
        builder.Services.AddSingleton(_ledger);
        builder.Services.AddSingleton(_pods);
        // Others are made for each call; this one remembers what it told.
        builder.Services.AddSingleton<PodResourcesOnSocket>();
        builder.Services.Configure<HostOptions>(o => o.ShutdownTimeout = TimeSpan.FromSeconds(1));
        var address = IPAddress.Parse(_options.Address);
        _certificate = KubeletCertificate.Create(_options.NodeName, address, _options.Time);
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(address, 0, listen => listen.UseHttps(_certificate));
            kestrel.ListenUnixSocket(_paths.PodResourcesSocket, socket => socket.Protocols = HttpProtocols.Http2);
            kestrel.ListenUnixSocket(_paths.KubeletSocket, socket => socket.Protocols = HttpProtocols.Http2);
        });
        var server = builder.Build();
        server.MapGrpcService<RegistrationOnSocket>();
        server.MapGrpcService<PodResourcesOnSocket>();
        server.MapGet("/healthz", () => "ok");
        ContainerLogs.Map(server, _pods, _options.Time);
        try
        {
            await server.StartAsync(cancellationToken);
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
        var addresses = server.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses;
        Address = new(addresses.First(a => a.StartsWith("https://", StringComparison.Ordinal)));
        return server;
    }

    /// <summary>Lets the inner server's warnings reach the lab's log.</summary>
    private sealed class OurLogging(ILoggerFactory factory) : ILoggerProvider
    {
        public ILogger CreateLogger(string categoryName) => factory.CreateLogger(categoryName);

        public void Dispose()
        {
            // The factory is its owner's.
        }
    }

    // A kubelet's start deletes every socket in the plugins' folder: that is how plugins notice it.
    private void DeleteSockets()
    {
        // A socket has no length; anything with content is somebody's file.
        foreach (var file in Directory.EnumerateFiles(_paths.Plugins).Where(f => new FileInfo(f).Length == 0))
            File.Delete(file);
        File.Delete(_paths.PodResourcesSocket);
    }

    private void KillStaleContainers()
    {
        foreach (var file in Directory.EnumerateFiles(_paths.Pids))
        {
            if (ContainerProcess.KillStale(file))
                KilledStale(_log, file);
        }
    }

    private void RestoreCheckpoint()
    {
        try
        {
            var (grants, resources) = Checkpoint.Read(_paths.Checkpoint);
            _ledger.Restore(grants);
            foreach (var resource in resources)
                _plugins.Remember(resource);
            _remembered = resources;
        }
        catch (Exception e) when (e is System.Text.Json.JsonException or IOException or Google.Protobuf.InvalidProtocolBufferException)
        {
            CheckpointLost(_log, _paths.Checkpoint, e.Message);
        }
    }

    private readonly Lock _checkpointGate = new();

    private void WriteCheckpoint()
    {
        lock (_checkpointGate)
            Checkpoint.Write(_paths.Checkpoint, _ledger.Grants, _plugins.Registered, _plugins.NumaNode);
    }

    private void TryWriteCheckpoint()
    {
        try
        {
            WriteCheckpoint();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            CheckpointLost(_log, _paths.Checkpoint, e.Message);
        }
    }

    private async Task WatchPods(TaskCompletionSource listed)
    {
        var mirror = Mirror.PodsOf(
            _options.NodeName, _options.Kubernetes, _options.Time, e => WatchBroke(_log, _options.NodeName, e.Message));
        await foreach (var change in mirror.Changes(() => Listed(listed), _stop.Token))
        {
            try
            {
                Take(change);
            }
            catch (Exception e)
            {
                // One pod that cannot even be taken in must not take the others down.
                PodBroke(_log, (change.Now ?? change.Before)!.Metadata.Name, e);
            }
        }
    }

    // Devices of pods that are not there any more are free.
    private void Listed(TaskCompletionSource listed)
    {
        foreach (var uid in _ledger.Grants.Select(g => g.PodUid).Distinct(StringComparer.Ordinal).Where(uid => _pods.Find(uid) is null).ToList())
            _ledger.Release(uid);
        if (listed.TrySetResult())
            _leftovers.DeleteAllBut(uid => _pods.Find(uid) is not null);
    }

    private void Take(Change<V1Pod> change)
    {
        if (change.Now is not { } pod)
        {
            _pods.Find(change.Before!.Metadata.Uid)?.ObjectGone();
            return;
        }
        if (pod.Spec.NodeName != _options.NodeName || (_options.OnlyNamespace is { } only && pod.Namespace() != only))
            return;
        if (_pods.Find(pod.Metadata.Uid) is { } known)
        {
            known.Update(pod);
            return;
        }
        var worker = new PodWorker(pod, Interlocked.Increment(ref _turn), _surroundings);
        _pods.Add(worker);
        worker.Start();
        worker.Update(pod);
        _admissions.Writer.TryWrite(worker);
        _ = worker.Left.ContinueWith(_ => Forget(worker), TaskScheduler.Default);
    }

    private void Forget(PodWorker worker)
    {
        if (!_stop.IsCancellationRequested)
            _pods.Remove(worker.Pod.Metadata.Uid);
    }

    // A starting kubelet takes a moment before it looks at pods. Plugins that are not back by then come too late for the pods that they served.
    private async Task PluginsAreBack()
    {
        var since = _options.Time.GetTimestamp();
        while (!_remembered.All(_plugins.IsAlive) && _options.Time.GetElapsedTime(since) < _options.PluginGrace)
            await Task.Delay(TimeSpan.FromMilliseconds(20), _options.Time, _stop.Token);
    }

    // Strictly one after another: two Allocate calls are never in flight, and a slow one delays the whole node.
    private async Task AdmitOneByOne()
    {
        await PluginsAreBack();
        await foreach (var worker in _admissions.Reader.ReadAllAsync(_stop.Token))
            await worker.Admit(_stop.Token);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "The kubelet of {Node} runs in {Directory}.")]
    private static partial void Runs(ILogger logger, string node, string directory);

    [LoggerMessage(Level = LogLevel.Warning, Message = "A container of an earlier run was still alive and is killed: {PidFile}.")]
    private static partial void KilledStale(ILogger logger, string pidFile);

    [LoggerMessage(Level = LogLevel.Error, Message = "The checkpoint {File} cannot be used: {Sentence}")]
    private static partial void CheckpointLost(ILogger logger, string file, string sentence);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The pod watch of {Node} broke and is taken up again: {Sentence}")]
    private static partial void WatchBroke(ILogger logger, string node, string sentence);

    [LoggerMessage(Level = LogLevel.Error, Message = "The kubelet could not take in the pod {Pod}.")]
    private static partial void PodBroke(ILogger logger, string pod, Exception exception);
}
