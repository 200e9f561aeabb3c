using Hami.NodeAgent.Allocating;
using Hami.NodeAgent.Plumbing;
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
    AgentOptions options, Func<CancellationToken, DevicePluginEndpoint> endpoint, PluginStreams streams, KubeletRestarts restarts,
    ILoggerFactory logs, TimeProvider time, ILogger<KubeletRegistration> log) : BackgroundService
{
    private static readonly TimeSpan SlowLook = TimeSpan.FromSeconds(1);

    private readonly TaskCompletionSource firstRegistered = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly SemaphoreSlim woken = new(0, 1);
    private FileSystemWatcher? watcher;
    private PluginListener? listener;

    /// <summary>Ends once the kubelet has accepted this plugin for the first time.</summary>
    public Task FirstRegistered => firstRegistered.Task;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        (DateTime, DateTime)? known = null;
        (DateTime, DateTime)? registeredWith = null;
        long registeredAt = 0;
        var failures = 0;
        var ignored = 0;
        try
        {
            while (!stoppingToken.IsCancellationRequested)
            {
                WatchFolder();
                var kubelet = SocketFile.Identity(options.KubeletSocket);
                var wait = SlowLook;
                // An old copy of this plugin that exits makes the kubelet drop the resource, whoever serves it now; the sign is a
                // registration without a ListAndWatch. Longer and longer waits for a kubelet that never opens one.
                var forgotten = registeredWith is not null && streams.Open == 0
                    && time.GetElapsedTime(registeredAt) > Outage.BackOff(ignored, TimeSpan.FromSeconds(2), TimeSpan.FromMinutes(1));
                if (streams.Open > 0)
                    ignored = 0;
                if (listener is { Replaced: true })
                {
                    // During a rollout two copies run: the later one serves, and to take the socket back would be a fight without end.
                    // When it goes, its socket goes with it, and we are back.
                    if (registeredWith is not null)
                        LogReplaced(options.PluginSocket);
                    registeredWith = null;
                }
                else if (kubelet is not null && (kubelet != registeredWith || listener is not { Removed: false } || forgotten))
                {
                    try
                    {
                        if (kubelet != known && known is not null)
                            restarts.Happened();
                        known = kubelet;
                        await Register(stoppingToken);
                        ignored = forgotten && kubelet == registeredWith ? ignored + 1 : 0;
                        registeredWith = kubelet;
                        registeredAt = time.GetTimestamp();
                        failures = 0;
                        firstRegistered.TrySetResult();
                        continue;
                    }
                    catch (Exception e) when (Outage.Is(e, stoppingToken))
                    {
                        // The socket's file is there a moment before the kubelet listens on it, so the first waits are short.
                        wait = Outage.BackOff(failures, TimeSpan.FromMilliseconds(10), TimeSpan.FromSeconds(5));
                        if (failures++ is var n && (n > 4 || !IsRefusedConnection(e)))
                            LogRefused(e.Message, wait.TotalSeconds);
                    }
                }
                await woken.WaitAsync(wait, stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // Stopping: the socket goes away below, so that the kubelet sees us leave at once.
        }
        finally
        {
            watcher?.Dispose();
            if (listener is not null)
                await listener.DisposeAsync();
        }
    }

    private async Task Register(CancellationToken stopping)
    {
        if (listener is not { Removed: false })
        {
            // First away with the old one: closing it removes the file of that name, whosever it is.
            if (listener is not null)
                await listener.DisposeAsync();
            listener = null;
            listener = await PluginListener.Open(options.PluginSocket, logs, endpoint, stopping);
        }
        using var channel = UnixSocketChannel.To(options.KubeletSocket);
        // The kubelet dials back before it answers, for at most 10 s.
        await Bounded.Call(TimeSpan.FromSeconds(15), async c => await new Registration.RegistrationClient(channel).RegisterAsync(
            new RegisterRequest
            {
                Version = "v1beta1",
                Endpoint = options.PluginEndpoint,
                ResourceName = options.ResourceName,
                Options = DevicePluginEndpoint.Options,
            },
            cancellationToken: c), stopping);
        LogRegistered(options.ResourceName, options.PluginEndpoint);
    }

    private void WatchFolder()
    {
        if (watcher is not null || !Directory.Exists(options.PluginDir))
            return;
        watcher = new FileSystemWatcher(options.PluginDir) { NotifyFilter = NotifyFilters.FileName };
        watcher.Created += (_, e) => WakeFor(e.Name);
        watcher.Deleted += (_, e) => WakeFor(e.Name);
        watcher.Renamed += (_, e) => WakeFor(e.Name);
        watcher.Error += (_, _) => Wake();
        watcher.EnableRaisingEvents = true;
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

    private static bool IsRefusedConnection(Exception e) =>
        e is Grpc.Core.RpcException { StatusCode: Grpc.Core.StatusCode.Unavailable };

    [LoggerMessage(LogLevel.Information, "The kubelet knows {Resource} at {Endpoint}")]
    private partial void LogRegistered(string resource, string endpoint);

    [LoggerMessage(LogLevel.Warning, "Another copy of this agent serves {Socket}; this one waits")]
    private partial void LogReplaced(string socket);

    [LoggerMessage(LogLevel.Warning, "The kubelet did not take the registration ({Reason}); trying again in {Seconds} s")]
    private partial void LogRefused(string reason, double seconds);
}
