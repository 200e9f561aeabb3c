using System.Collections.Immutable;
using Hami.NodeAgent.Plumbing;
using Hami.NodeAgent.Registering;

namespace Hami.NodeAgent.Allocating;

/// <summary>Keeps the CDI specs of this node's cards, and of the MIG devices cut from them, in the runtime's folder.</summary>
internal sealed partial class CdiDevices(CardInventory inventory, AgentOptions options, IHostFiles files, TimeProvider time, ILogger<CdiDevices> log) : BackgroundService
{
    private const UnixFileMode ReadFile = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
    private const UnixFileMode ReadFolder = ReadFile | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    private readonly Lock gate = new();
    private ImmutableArray<HandedDevice> instances = [];

    /// <summary>The MIG devices there are now; when this returns, a container may be given one.</summary>
    /// <exception cref="IOException">The specs could not be written.</exception>
    public void Set(IEnumerable<HandedDevice> migDevices)
    {
        instances = [.. migDevices];
        Write();
    }

    public override Task StartAsync(CancellationToken cancellationToken)
    {
        TryWrite();
        return base.StartAsync(cancellationToken);
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => UntilStopped.RunAsync(Follow, time, log, stoppingToken);

    private async Task Follow(CancellationToken stopping)
    {
        while (options.Handing.UsesCdi)
        {
            var (_, changed) = inventory.Watch();
            // A driver that was not there yet is found by looking again.
            await Task.WhenAny(changed, Task.Delay(TryWrite() ? TimeSpan.FromMinutes(1) : TimeSpan.FromSeconds(5), time, stopping));
            stopping.ThrowIfCancellationRequested();
        }
    }

    private bool TryWrite()
    {
        try
        {
            Write();
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            LogUnwritten(options.Handing.CdiSpecDir, e.Message);
            return false;
        }
    }

    private void Write()
    {
        var how = options.Handing;
        if (!how.UsesCdi)
            return;
        lock (gate)
        {
            var wanted = CdiSpec.Files(inventory.Cards.Select(HandedDevice.Of).Concat(instances), how, DeviceFolder.Of(how), DriverFiles.Find(how.DriverRootHere));
            files.MakeFolder(how.CdiSpecDir, ReadFolder);
            foreach (var (name, text) in wanted)
            {
                var (path, content) = (Path.Combine(how.CdiSpecDir, name), System.Text.Encoding.UTF8.GetBytes(text));
                if (files.Read(path)?.AsSpan().SequenceEqual(content) is true)
                    continue;
                files.Put(path, content, ReadFile);
                LogWritten(path);
            }
        }
    }

    [LoggerMessage(LogLevel.Information, "{File} tells the container runtime of this node's devices")]
    private partial void LogWritten(string file);

    [LoggerMessage(LogLevel.Error, "The CDI specs could not be written to {Folder} ({Reason}); containers that are given CDI devices will not start until they are")]
    private partial void LogUnwritten(string folder, string reason);
}
