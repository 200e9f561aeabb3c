using System.Text;

namespace Hami.NodeAgent.Plumbing;

/// <summary>
/// The host folders <c>containers/&lt;podUID&gt;_&lt;container&gt;</c>, each seen by one container, read-only, as its <c>vgpu</c> folder: the library, the
/// limits, and the region, which alone the container may write.
/// </summary>
internal sealed class ContainerDirectories(AgentOptions options, IHostFiles? files = null)
{
    /// <summary>The interceptor's <c>REGION_BYTES</c> (region.h).</summary>
    public const long RegionBytes = 2_867_200;

    // Names that the library looks for beside itself (limits_file.c), and what the limits will be once the container may start.
    private const string Library = "libvgpu.so", Limits = "limits", Region = "region", Granted = "granted", Agent = "agent";

    private const UnixFileMode ReadFile = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
    private const UnixFileMode WriteFile = ReadFile | UnixFileMode.GroupWrite | UnixFileMode.OtherWrite;
    private const UnixFileMode ReadFolder = ReadFile | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    private readonly IHostFiles files = files ?? new HostFiles();

    /// <summary>Where all of them are.</summary>
    public string Root { get; } = Path.Combine(options.VgpuDir, "containers");

    public string Of(string podUid, string container) => Path.Combine(Root, $"{podUid}_{container}");

    public string LimitsOf(string podUid, string container) => Path.Combine(Of(podUid, container), Limits);

    public string RegionOf(string podUid, string container) => Path.Combine(Of(podUid, container), Region);

    public string LibraryOf(string podUid, string container) => Path.Combine(Of(podUid, container), Library);

    /// <summary>Makes what is mounted, before it is: the library of today, a region full of zeroes, limits that grant nothing yet. What a container has there already stays.</summary>
    /// <param name="grant">What the limits will say, kept for the start: null where limits are given by environment alone.</param>
    public void Prepare(string podUid, string container, string? grant)
    {
        var folder = Of(podUid, container);
        files.MakeFolder(Root, ReadFolder);
        // One that HAMi's plugin made for this container: whatever stands in it was put there by the container.
        if (files.IsWritable(folder))
            files.Remove(folder);
        files.MakeFolder(folder, ReadFolder);
        files.MakeFolder(Path.Combine(folder, Agent), ReadFolder);
        files.MakeFolder(options.AgentDir, ReadFolder);
        if (files.Length(Path.Combine(folder, Library)) is null)
            files.Link(options.LibraryFile, Path.Combine(folder, Library));
        if (files.Length(Path.Combine(folder, Region)) != RegionBytes)
            files.PutZeroes(Path.Combine(folder, Region), RegionBytes, WriteFile);
        if (grant is null)
            return;
        if (files.Length(Path.Combine(folder, Limits)) is null)
            files.Put(Path.Combine(folder, Limits), [], ReadFile);
        PutIfOther(Path.Combine(folder, Granted), grant);
    }

    /// <summary>What was kept for the container's start; null when nothing was, or half of it after a crash of the node.</summary>
    public string? Kept(string podUid, string container) =>
        files.Read(Path.Combine(Of(podUid, container), Granted)) is { } text && text.AsSpan().EndsWith("\nend\n"u8) ? Encoding.UTF8.GetString(text) : null;

    /// <summary>The container may start: its limits say what it was granted. The same once more is not written, for processes may be reading it.</summary>
    public void Fill(string podUid, string container, string grant) => PutIfOther(LimitsOf(podUid, container), grant);

    /// <summary>A folder that HAMi's plugin made is only kept there: its container may write what it likes in it.</summary>
    public void KeepWritable(string podUid, string container)
    {
        if (!files.Folders(Root).Any(d => d.Name == Path.GetFileName(Of(podUid, container))))
            files.MakeFolder(Of(podUid, container), ReadFolder | UnixFileMode.GroupWrite | UnixFileMode.OtherWrite);
    }

    /// <summary>Pod UIDs that have a folder, and the age of the youngest of each.</summary>
    public IReadOnlyDictionary<string, TimeSpan> Ages(DateTimeOffset now) =>
        files.Folders(Root)
            .Where(d => d.Name.IndexOf('_') is > 0 and var at && at < d.Name.Length - 1)
            .GroupBy(d => d.Name[..d.Name.IndexOf('_')])
            .ToDictionary(g => g.Key, g => g.Min(d => now - d.Changed), StringComparer.Ordinal);

    /// <summary>Removes the folders of all containers of a pod.</summary>
    /// <exception cref="IOException">One of them could not be removed.</exception>
    public int Remove(string podUid)
    {
        if (podUid.Length == 0)
            return 0;
        var its = files.Folders(Root).Where(d => d.Name.StartsWith(podUid + "_", StringComparison.Ordinal)).ToList();
        foreach (var folder in its)
            files.Remove(Path.Combine(Root, folder.Name));
        return its.Count;
    }

    private void PutIfOther(string path, string text)
    {
        var content = Encoding.UTF8.GetBytes(text);
        if (files.Read(path)?.AsSpan().SequenceEqual(content) is not true)
            files.Put(path, content, ReadFile);
    }
}
