using Grpc.Core;
using Hami.NodeAgent.Allocating;
using Hami.NodeAgent.Plumbing;
using Hami.NodeAgent.Plumbing.Settings;
using Kubelet.DevicePlugin.V1Beta1;

namespace Hami.NodeAgent.Registering;

/// <summary>
/// Keeps the device plugin's socket open and the kubelet told about it: at the start, after every start of the kubelet (which
/// removes the sockets in its folder), and whenever the kubelet has let go of us.
/// </summary>
/// <remarks>
/// A plugin that comes late after a kubelet restart costs running pods their life
/// (<c>UnexpectedAdmissionError: no healthy devices present</c>), so a file event wakes this loop; the slow look is for lost events.
/// </remarks>
internal sealed partial class KubeletRegistration(
    AgentOptions options, Func<CancellationToken, DevicePluginEndpoint> endpoint, PluginStreams streams, KubeletRestarts restarts, CardInventory inventory, SettingsInForce settings,
    ILoggerFactory logs, TimeProvider time, ILogger<KubeletRegistration> log) : BackgroundService
{
    private static readonly TimeSpan SlowLook = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan Settled = TimeSpan.FromSeconds(2);

    private readonly TaskCompletionSource firstRegistered = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly SemaphoreSlim woken = new(0, 1);
    private FileSystemWatcher? watcher;
    private PluginListener? listener;

    // The kubelet we last saw, and the one that knows us; since when, and for how many registrations in vain.
    private (DateTime, DateTime)? known;
    private (DateTime, DateTime)? registeredWith;
    private long registeredAt;
    private int unwatched;

    private bool unwatchable;
    private bool displaced;
    private bool displacedOther;

    /// <summary>Ends once the kubelet has accepted this plugin for the first time.</summary>
    public Task FirstRegistered => firstRegistered.Task;

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => UntilStopped.RunAsync(KeepRegistered, time, log, stoppingToken);

    private async Task KeepRegistered(CancellationToken stoppingToken)
    {
        var failures = 0;
        _ = inventory.Known.ContinueWith(_ => Wake(), stoppingToken, TaskContinuationOptions.None, TaskScheduler.Default);
        try
        {
            while (!stoppingToken.IsCancellationRequested)
            {
                WatchFolder();
                await GiveWay();
                var kubelet = SocketFile.Identity(options.KubeletSocket);
                var wait = SlowLook;
                if (kubelet is not null && !displaced && HasSomething && MustRegister(kubelet))
                {
                    try
                    {
                        await Register(kubelet, stoppingToken);
                        failures = 0;
                    }
                    catch (Exception e) when (Outage.Is(e, stoppingToken))
                    {
                        // The socket's file is there a moment before the kubelet listens on it, so the first waits are short and quiet.
                        wait = Outage.BackOff(failures, TimeSpan.FromMilliseconds(10), TimeSpan.FromSeconds(5));
                        if (failures++ > 4 || e is not RpcException { StatusCode: StatusCode.Unavailable })
                            LogRefused(Outage.Reason(e), wait.TotalSeconds);
                    }
                }
                await woken.WaitAsync(wait, stoppingToken);
            }
        }
        finally
        {
            // The socket goes away, so that the kubelet sees us leave at once.
            watcher?.Dispose();
            if (listener is not null)
                await listener.DisposeAsync();
            (watcher, listener, registeredWith) = (null, null, null);
        }
    }

    // During a rollout two copies run: the later one serves, and to take the socket back would be a fight without end. When it goes,
    // its socket goes with it, and the earlier one is back.
    private async Task GiveWay()
    {
        if (listener is { Replaced: true })
        {
            LogReplaced(options.PluginSocket);
            await listener.DisposeAsync();
            listener = null;
            registeredWith = null;
            displaced = true;
        }
        displaced = displaced && File.Exists(options.PluginSocket);
    }

    // A node without cards has no such resource; one that had some and lost them says so by an empty list.
    private bool HasSomething => listener is not null || !inventory.Cards.IsEmpty;

    private bool MustRegister((DateTime, DateTime)? kubelet)
    {
        if (kubelet != registeredWith || listener is not { Removed: false })
            return true;
        var since = time.GetElapsedTime(registeredAt);
        if (displacedOther && since > Settled)
            return true;
        // An old copy of this plugin that exits makes the kubelet drop the resource, whoever serves it now; the sign is a registration
        // without a ListAndWatch. Longer and longer waits for a kubelet that never opens one.
        if (streams.Open > 0)
            unwatched = 0;
        return streams.Open == 0 && since > Outage.BackOff(unwatched, Settled, TimeSpan.FromMinutes(1));
    }

    private async Task Register((DateTime, DateTime)? kubelet, CancellationToken stopping)
    {
        if (known is not null && kubelet != known)
            restarts.Happened();
        known = kubelet;
        if (listener is not { Removed: false })
        {
            if (listener is not null)
                await listener.DisposeAsync();
            listener = null;
            // When the copy that we displace lets go of the kubelet, the kubelet drops the resource: once more then.
            displacedOther = File.Exists(options.PluginSocket);
            listener = await PluginListener.Open(options.PluginSocket, logs, endpoint, stopping);
        }
        else if (kubelet == registeredWith)
        {
            displacedOther = false;
            unwatched++;
        }
        await Introduce(stopping);
        registeredWith = kubelet;
        registeredAt = time.GetTimestamp();
        firstRegistered.TrySetResult();
        LogRegistered(options.ResourceName, options.PluginEndpoint);
    }

    private async Task Introduce(CancellationToken stopping)
    {
        var request = new RegisterRequest
        {
            Version = "v1beta1",
            Endpoint = options.PluginEndpoint,
            ResourceName = options.ResourceName,
            Options = DevicePluginEndpoint.Options(settings.Current),
        };
        using var channel = UnixSocketChannel.To(options.KubeletSocket);
        // The kubelet dials back before it answers, for at most 10 s.
        await Bounded.Call(TimeSpan.FromSeconds(15),
            async c => await new Registration.RegistrationClient(channel).RegisterAsync(request, cancellationToken: c), stopping);
    }

    private void WatchFolder()
    {
        if (watcher is not null || unwatchable || !options.WatchesFolder || !Directory.Exists(options.PluginDir))
            return;
        watcher = new FileSystemWatcher(options.PluginDir) { NotifyFilter = NotifyFilters.FileName };
        watcher.Created += (_, e) => WakeFor(e.Name);
        watcher.Deleted += (_, e) => WakeFor(e.Name);
        watcher.Renamed += (_, e) => WakeFor(e.Name);
        watcher.Error += (_, _) => Wake();
        try
        {
            watcher.EnableRaisingEvents = true;
        }
        catch (IOException e)
        {
            // The user's inotify instances are used up. The slow look finds the same, a second later.
            LogUnwatchable(options.PluginDir, e.Message);
            watcher.Dispose();
            watcher = null;
            unwatchable = true;
        }
    }

    private void WakeFor(string? file)
    {
        if (file == "kubelet.sock" || file == options.PluginEndpoint)
            Wake();
    }

    private void Wake()
    {
        try
        {
            woken.Release();
        }
        catch (SemaphoreFullException)
        {
            // Already woken.
        }
    }

    [LoggerMessage(LogLevel.Information, "The kubelet knows {Resource} at {Endpoint}")]
    private partial void LogRegistered(string resource, string endpoint);

    [LoggerMessage(LogLevel.Warning, "{Folder} cannot be watched ({Reason}); it is looked at every second instead")]
    private partial void LogUnwatchable(string folder, string reason);

    [LoggerMessage(LogLevel.Warning, "Another copy of this agent serves {Socket}; this one waits")]
    private partial void LogReplaced(string socket);

    [LoggerMessage(LogLevel.Warning, "The kubelet did not take the registration ({Reason}); trying again in {Seconds} s")]
    private partial void LogRefused(string reason, double seconds);
}
