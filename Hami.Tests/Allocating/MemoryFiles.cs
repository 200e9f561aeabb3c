using Hami.NodeAgent.Plumbing;

namespace Hami.Tests.Allocating;

/// <summary>A node's files in memory. Every change is a moment at which the agent can be killed.</summary>
internal sealed class MemoryFiles(Action moment) : IHostFiles
{
    private static int inodes;

    private readonly Dictionary<string, Entry> files = new(StringComparer.Ordinal);
    private readonly Dictionary<string, DateTimeOffset> folders = new(StringComparer.Ordinal);

    /// <summary>A file, told from a later one of its name.</summary>
    public sealed record Entry(int Inode, byte[] Content, long Length);

    public DateTimeOffset Now { get; set; }

    public IEnumerable<string> AllFolders => folders.Keys;

    public Entry? Find(string path) => files.GetValueOrDefault(path);

    /// <summary>By somebody else than the agent.</summary>
    public void Place(string path, byte[] content) => files[path] = new(Interlocked.Increment(ref inodes), content, content.Length);

    public void Delete(string path) => files.Remove(path);

    public byte[]? Read(string path, byte[]? last = null)
    {
        var now = files.GetValueOrDefault(path)?.Content;
        return now is not null && last is not null && now.AsSpan().SequenceEqual(last) ? last : now;
    }

    public long? Length(string path) => files.GetValueOrDefault(path)?.Length;

    public bool IsWritable(string folder) => false;

    public void MakeFolder(string path, UnixFileMode mode)
    {
        moment();
        folders.TryAdd(path, Now);
    }

    public void Put(string path, ReadOnlySpan<byte> content, UnixFileMode mode)
    {
        moment();
        Enter(path, new(Interlocked.Increment(ref inodes), content.ToArray(), content.Length));
    }

    public void PutZeroes(string path, long length, UnixFileMode mode)
    {
        moment();
        Enter(path, new(Interlocked.Increment(ref inodes), [], length));
    }

    public void Link(string file, string path)
    {
        moment();
        Enter(path, files.GetValueOrDefault(file) ?? throw new FileNotFoundException("There is no such file.", file));
    }

    public IReadOnlyList<(string Name, DateTimeOffset Changed)> Folders(string path) =>
        [.. folders.Where(f => Path.GetDirectoryName(f.Key) == path).Select(f => (Path.GetFileName(f.Key), f.Value))];

    public void Remove(string path)
    {
        foreach (var file in files.Keys.Where(f => f.StartsWith(path + "/", StringComparison.Ordinal)).ToList())
        {
            moment();
            files.Remove(file);
        }
        foreach (var folder in folders.Keys.Where(f => f == path || f.StartsWith(path + "/", StringComparison.Ordinal)).ToList())
            folders.Remove(folder);
    }

    private void Enter(string path, Entry entry)
    {
        var folder = Path.GetDirectoryName(path)!;
        if (!folders.ContainsKey(folder))
            throw new DirectoryNotFoundException(folder);
        folders[folder] = Now;
        files[path] = entry;
    }
}
