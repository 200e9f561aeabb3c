using System.Text.Json;
using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>One line of the log. Without a resource it says that everything before it is a snapshot at this revision.</summary>
internal sealed record LogEntry(long Revision, Resource? Resource, bool Removed, JsonObject? Body);

/// <summary>Every write as one JSON line, handed to the operating system before the client hears of it: it survives a killed process.</summary>
internal sealed class WriteAheadLog : IDisposable
{
    private readonly FileStream _file;

    private WriteAheadLog(FileStream file) => _file = file;

    public static IEnumerable<LogEntry> Read(string path)
    {
        if (!File.Exists(path))
            yield break;
        var lines = File.ReadAllLines(path);
        for (var i = 0; i < lines.Length; i++)
        {
            LogEntry? entry;
            try
            {
                entry = Parse(lines[i]);
            }
            // A process killed while writing leaves half a line, and only as the last one: nobody was told of that write.
            catch (JsonException) when (i == lines.Length - 1)
            {
                yield break;
            }
            if (entry is not null)
                yield return entry;
        }
    }

    /// <summary>Replaces the log by a snapshot of what is true now, and goes on after it.</summary>
    public static WriteAheadLog Rewrite(string path, long revision, IEnumerable<Stored> objects)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        var fresh = path + ".new";
        using (var log = new WriteAheadLog(new FileStream(fresh, FileMode.Create, FileAccess.Write)))
        {
            foreach (var stored in objects)
                log.Put(stored);
            log.Write(new JsonObject { ["rev"] = revision });
        }
        File.Move(fresh, path, overwrite: true);
        // No buffer of ours: what Write returned from is with the operating system.
        return new(new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.Read, bufferSize: 0));
    }

    public void Put(Stored stored) => Write(stored, removed: false);

    public void Remove(Stored stored) => Write(stored, removed: true);

    public void Dispose() => _file.Dispose();

    private void Write(Stored stored, bool removed)
    {
        var line = new JsonObject { ["rev"] = stored.Revision, ["group"] = stored.Resource.Group, ["resource"] = stored.Resource.Plural };
        if (removed)
            line["removed"] = true;
        line["object"] = stored.Body.DeepClone();
        Write(line);
    }

    private void Write(JsonObject line)
    {
        _file.Write([.. Json.Utf8(line), (byte)'\n']);
        _file.Flush(flushToDisk: false);
    }

    private static LogEntry? Parse(string line)
    {
        var entry = (JsonObject?)Json.Parse(System.Text.Encoding.UTF8.GetBytes(line)) ?? throw new JsonException();
        var revision = entry.NumberAt("rev") ?? throw new JsonException("A line of the log has no revision.");
        if (entry.TextAt("resource") is not { } plural)
            return new(revision, Resource: null, Removed: false, Body: null);
        var resource = Array.Find(Resources.All, r => r.StoredAs is null && r.Plural == plural && r.Group == entry.TextAt("group"));
        if (resource is null)
            return null;
        entry.Remove("object", out var body);
        return new(revision, resource, entry.FlagAt("removed"), (JsonObject)body!);
    }
}
