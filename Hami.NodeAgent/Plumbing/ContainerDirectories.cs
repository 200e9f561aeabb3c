namespace Hami.NodeAgent.Plumbing;

/// <summary>The host directories <c>containers/&lt;podUID&gt;_&lt;container&gt;</c>, each seen by one container as its <c>vgpu</c> folder.</summary>
internal sealed class ContainerDirectories(AgentOptions options)
{
    private const UnixFileMode Everybody =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
        | UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute
        | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;

    private readonly string root = Path.Combine(options.VgpuDir, "containers");

    public string Of(string podUid, string container) => Path.Combine(root, $"{podUid}_{container}");

    /// <summary>Makes the directories that are mounted: those of the container and of the locks, 0777, and our own; what a running container has there stays.</summary>
    public void Prepare(string podUid, string container)
    {
        MakeForEverybody(Of(podUid, container));
        MakeForEverybody(options.LockPath);
        Directory.CreateDirectory(options.AgentDir);
    }

    /// <summary>Pod UIDs that have a directory, and the age of the youngest of each.</summary>
    public IReadOnlyDictionary<string, TimeSpan> Ages(DateTimeOffset now) =>
        Directory.Exists(root)
            ? new DirectoryInfo(root).EnumerateDirectories()
                .Where(d => d.Name.IndexOf('_') is > 0 and var at && at < d.Name.Length - 1)
                .GroupBy(d => d.Name[..d.Name.IndexOf('_')])
                .ToDictionary(g => g.Key, g => g.Min(d => now.UtcDateTime - d.LastWriteTimeUtc))
            : new Dictionary<string, TimeSpan>();

    /// <summary>Removes the directories of all containers of a pod.</summary>
    /// <exception cref="IOException">One of them could not be removed.</exception>
    public int Remove(string podUid)
    {
        if (podUid.Length == 0 || !Directory.Exists(root))
            return 0;
        var removed = 0;
        foreach (var directory in new DirectoryInfo(root).EnumerateDirectories()
            .Where(d => d.Name.StartsWith(podUid + "_", StringComparison.Ordinal)))
        {
            FolderTree.Remove(directory.FullName);
            removed++;
        }
        return removed;
    }

    private static void MakeForEverybody(string directory)
    {
        Directory.CreateDirectory(directory);
        // After the creation, because the umask would take bits away; containers run as any user.
        if (File.GetUnixFileMode(directory) != Everybody)
            File.SetUnixFileMode(directory, Everybody);
    }
}
