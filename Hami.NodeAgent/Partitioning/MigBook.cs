using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Serialization;
using Hami.Domain.Ledger;

namespace Hami.NodeAgent.Partitioning;

/// <summary>Which instances are ours. Written before one is made and after it is destroyed, so that no stop of this agent leaks or steals one.</summary>
internal interface IMigBook
{
    ImmutableArray<MadeInstance> Made { get; }

    /// <summary>Reads it anew and keeps it for oneself: two agents are on a node while one replaces the other.</summary>
    /// <exception cref="IOException">It cannot be had.</exception>
    Task<IDisposable> Enter(CancellationToken cancellation);

    /// <exception cref="IOException">It could not be written, and is as before.</exception>
    void Write(ImmutableArray<MadeInstance> made);
}

/// <summary>The book in a file of the node.</summary>
/// <param name="boot">Id of this boot of the node: instances do not outlive it, so another boot's entries tell nothing.</param>
internal sealed partial class MigBook(string path, string boot, TimeProvider time, ILogger<MigBook> log) : IMigBook
{
    private static readonly TimeSpan Again = TimeSpan.FromMilliseconds(20);

    private readonly Lock gate = new();
    private ImmutableArray<MadeInstance>? made;
    private string? unreadable;

    public ImmutableArray<MadeInstance> Made
    {
        get
        {
            lock (gate)
                return made ??= Read();
        }
    }

    public async Task<IDisposable> Enter(CancellationToken cancellation)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        while (true)
        {
            try
            {
                // Not shared, which is a lock of the kernel's (flock(2)) that ends with its process.
                var mine = new FileStream(path + ".lock", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
                lock (gate)
                    made = Read();
                return mine;
            }
            catch (IOException e) when (e is not (DirectoryNotFoundException or FileNotFoundException or PathTooLongException))
            {
                await Task.Delay(Again, time, cancellation);
            }
        }
    }

    public static string BootId()
    {
        try
        {
            return File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }

    public void Write(ImmutableArray<MadeInstance> now)
    {
        lock (gate)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            var fresh = path + ".new";
            var pages = now.Select(m => new Page(
                m.Seat.Card, m.Seat.Profile, m.Seat.Place.Start, m.Seat.Place.Size, m.PodUid, m.Pod, m.OnlyForInits, m.GpuInstance, m.ComputeInstance, m.Uuid));
            using (var file = new FileStream(fresh, FileMode.Create, FileAccess.Write))
            {
                JsonSerializer.Serialize(file, new Pages(boot, [.. pages]), BookJson.Default.Pages);
                // On the disk before its name: a book that is empty after a loss of power would make our own instances strangers.
                file.Flush(flushToDisk: true);
            }
            File.Move(fresh, path, overwrite: true);
            made = now;
        }
    }

    private ImmutableArray<MadeInstance> Read()
    {
        try
        {
            if (!File.Exists(path))
                return [];
            var text = File.ReadAllText(path);
            if (text == unreadable)
                return [];
            unreadable = text;
            var pages = JsonSerializer.Deserialize(text, BookJson.Default.Pages) ?? throw new JsonException("it is empty");
            if (pages.Made is null || pages.Made.Any(p => p is not { Card: not null, Profile: not null, PodUid: not null, Size: > 0 }))
                throw new JsonException("an entry has no card, profile, size or podUid");
            unreadable = null;
            if (pages.Boot != boot)
                return [];
            return [.. pages.Made.Select(p => new MadeInstance(
                new(p.Card, p.Profile, new MigPlacement(p.Start, p.Size)), p.PodUid, p.Pod, p.OnlyForInits, p.GpuInstance, p.ComputeInstance, p.Uuid))];
        }
        catch (Exception e) when (e is JsonException or IOException or UnauthorizedAccessException or ArgumentException)
        {
            LogUnreadable(path, e.Message);
            return [];
        }
    }

    [JsonSourceGenerationOptions(JsonSerializerDefaults.Web, WriteIndented = true)]
    [JsonSerializable(typeof(Pages))]
    private sealed partial class BookJson : JsonSerializerContext;

    private sealed record Pages(string Boot, IReadOnlyList<Page> Made);

    private sealed record Page(
        string Card, string Profile, int Start, int Size, string PodUid, string Pod, bool OnlyForInits, int? GpuInstance, int? ComputeInstance, string? Uuid);

    [LoggerMessage(LogLevel.Error, "The book of MIG instances {File} cannot be read ({Reason}): instances that no live pod's annotation names count as made by others; destroy those by nvidia-smi mig once nothing uses them")]
    private partial void LogUnreadable(string file, string reason);
}
