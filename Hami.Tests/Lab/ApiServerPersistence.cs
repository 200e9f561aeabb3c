using System.Text;
using System.Text.Json.Nodes;
using Hami.Lab.ApiServer;
using k8s;
using k8s.Models;

namespace Hami.Tests.Lab;

using static ApiServerGiven;

/// <summary>What the API server has said stays true over its restarts.</summary>
public sealed class ApiServerPersistence : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("hami-lab-").FullName;

    private LabApiServerOptions Kept => new() { StorePath = Path.Combine(_folder, "store.jsonl") };

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Objects_and_revisions_are_there_again_after_a_restart()
    {
        V1Pod last;
        await using (var lab = await Running(Kept))
        {
            await lab.Create(Pod("stays"));
            await lab.Create(Pod("goes"));
            await lab.Client.CoreV1.DeleteNamespacedPodAsync("goes", "default", cancellationToken: Cancellation);
            await lab.Client.CoreV1.CreateNamespacedPodBindingAsync(Binding("stays", "n"), "stays", "default", cancellationToken: Cancellation);
            last = await lab.Read("stays");
        }
        await using (var lab = await Running(Kept))
        {
            var pods = await lab.Client.CoreV1.ListNamespacedPodAsync("default", cancellationToken: Cancellation);
            var pod = Assert.Single(pods.Items);
            Assert.Equal((last.Uid(), last.ResourceVersion(), "n"), (pod.Uid(), pod.ResourceVersion(), pod.Spec.NodeName));
            Assert.True(long.Parse((await lab.Create(Pod("next"))).ResourceVersion()) > long.Parse(pods.ResourceVersion()));
        }
    }

    [Fact]
    public async Task A_watch_resumes_over_a_restart()
    {
        string from;
        await using (var lab = await Running(Kept))
        {
            from = (await lab.Create(Pod("a"))).ResourceVersion();
            await lab.Create(Pod("b"));
        }
        await using (var lab = await Running(Kept))
        {
            var seen = new List<string>();
            await foreach (var (type, pod) in lab.Watch($"/api/v1/pods?watch=true&resourceVersion={from}&timeoutSeconds=1", Cancellation))
                seen.Add($"{type} {pod["metadata"]!["name"]}");
            Assert.Equal(["ADDED b"], seen);
        }
    }

    [Fact]
    public async Task A_namespace_whose_end_was_cut_short_is_ended_by_the_next_start()
    {
        await using (var lab = await Running(Kept))
        {
            await lab.Client.CoreV1.CreateNamespaceAsync(new() { Metadata = new() { Name = "team" } }, cancellationToken: Cancellation);
            await lab.Client.CoreV1.CreateNamespacedSecretAsync(new() { Metadata = new() { Name = "held", Finalizers = ["example.com/hold"] } }, "team", cancellationToken: Cancellation);
            await lab.Client.CoreV1.DeleteNamespaceAsync("team", cancellationToken: Cancellation);
            Assert.Equal("Terminating", (await lab.Client.CoreV1.ReadNamespaceAsync("team", cancellationToken: Cancellation)).Status.Phase);
        }
        // As a process leaves it that was killed between the mark and the removal.
        var log = await File.ReadAllTextAsync(Kept.StorePath!, Cancellation);
        await File.WriteAllTextAsync(Kept.StorePath!, log.Replace(",\"finalizers\":[\"example.com/hold\"]", "", StringComparison.Ordinal), Cancellation);
        await using (var lab = await Running(Kept))
            Assert.Equal(404, (await Refusal(() => lab.Client.CoreV1.ReadNamespaceAsync("team", cancellationToken: Cancellation))).Code);
    }

    [Fact]
    public async Task A_line_torn_by_a_crash_is_as_if_it_had_never_been()
    {
        await using (var lab = await Running(Kept))
            await lab.Create(Pod("whole"));
        await File.AppendAllTextAsync(Kept.StorePath!, """{"rev":99,"group":"","resource":"pods","object":{"metadata":{"na""", Cancellation);
        await using (var lab = await Running(Kept))
        {
            Assert.Equal("whole", Assert.Single((await lab.Client.CoreV1.ListNamespacedPodAsync("default", cancellationToken: Cancellation)).Items).Name());
            await lab.Create(Pod("after"));
        }
        await using (var lab = await Running(Kept))
            Assert.Equal(2, (await lab.Client.CoreV1.ListNamespacedPodAsync("default", cancellationToken: Cancellation)).Items.Count);
    }

    [Fact]
    public async Task The_log_does_not_grow_with_what_is_over()
    {
        async Task<int> LinesAfterAStart()
        {
            await using (await Running(Kept))
            {
            }
            return File.ReadAllText(Kept.StorePath!, Encoding.UTF8).Count(c => c == '\n');
        }
        await LinesAfterAStart();
        var empty = await LinesAfterAStart();
        await using (var lab = await Running(Kept))
        {
            await lab.Create(Pod("p"));
            for (var i = 0; i < 50; i++)
                await lab.Send("PATCH", "/api/v1/namespaces/default/pods/p", "{\"metadata\":{\"labels\":{\"i\":\"" + i + "\"}}}", "application/merge-patch+json");
        }
        Assert.Equal(empty + 1, await LinesAfterAStart());
    }

    [Fact]
    public async Task A_log_that_is_damaged_in_the_middle_is_not_taken_for_a_shorter_one()
    {
        await using (var lab = await Running(Kept))
        {
            await lab.Create(Pod("a"));
            await lab.Create(Pod("b"));
        }
        var lines = await File.ReadAllLinesAsync(Kept.StorePath!, Cancellation);
        lines[^2] = lines[^2][..40];
        await File.WriteAllLinesAsync(Kept.StorePath!, lines, Cancellation);
        var damaged = await Assert.ThrowsAsync<InvalidDataException>(() => Running(Kept));
        Assert.Contains($"Line {lines.Length - 1} of {Kept.StorePath}", damaged.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_log_is_its_owners_alone_whatever_an_earlier_start_left()
    {
        await File.WriteAllTextAsync(Kept.StorePath + ".new", "left", Cancellation);
        File.SetUnixFileMode(Kept.StorePath + ".new", UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead);
        await using var lab = await Running(Kept);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Kept.StorePath!));
    }

    [Fact]
    public async Task A_start_that_fails_lets_go_of_the_log()
    {
        await using var other = await Running();
        await Assert.ThrowsAnyAsync<IOException>(() => Running(Kept with { Port = other.Server.Address.Port }));
        // Locked, were it still open for writing.
        await using var free = new FileStream(Kept.StorePath!, FileMode.Open, FileAccess.Write, FileShare.None);
    }

    [Fact]
    public void A_write_that_does_not_fit_the_disk_leaves_no_half_line_behind()
    {
        var path = Path.Combine(_folder, "log");
        using var disk = new SmallDisk(path, bytes: 400);
        using (var log = new WriteAheadLog(disk))
        {
            log.Put(Map("one", 10));
            Assert.Throws<IOException>(() => log.Put(Map("two", 1000)));
            log.Put(Map("three", 10));
        }
        Assert.Equal(["one", "three"], WriteAheadLog.Read(path).Select(e => e.Body!["metadata"]!["name"]!.GetValue<string>()));
    }

    [Fact]
    public void Where_the_half_line_cannot_be_taken_back_nothing_is_written_after_it()
    {
        var path = Path.Combine(_folder, "log");
        using var disk = new SmallDisk(path, bytes: 400) { CannotShrink = true };
        using (var log = new WriteAheadLog(disk))
        {
            log.Put(Map("one", 10));
            Assert.Throws<IOException>(() => log.Put(Map("two", 1000)));
            Assert.Throws<IOException>(() => log.Put(Map("three", 10)));
        }
        Assert.Equal(["one"], WriteAheadLog.Read(path).Select(e => e.Body!["metadata"]!["name"]!.GetValue<string>()));
    }

    private static Stored Map(string name, int length)
    {
        var body = new JsonObject { ["metadata"] = new JsonObject { ["name"] = name, ["namespace"] = "default", ["resourceVersion"] = "1" }, ["data"] = new JsonObject { ["a"] = new string('a', length) } };
        var resource = Resources.All.Single(r => r.Plural is "configmaps");
        return new(resource, 1, Encoding.UTF8.GetBytes(body.ToJsonString()), Facts.Of(resource, body, before: null));
    }

    /// <summary>A file on a disk with little room: it takes what fits, and then says that it is full.</summary>
    private sealed class SmallDisk(string path, long bytes) : FileStream(path, FileMode.Create, FileAccess.Write, FileShare.Read, bufferSize: 0)
    {
        public bool CannotShrink { get; init; }

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            var room = (int)Math.Min(buffer.Length, bytes - Length);
            base.Write(buffer[..room]);
            if (room < buffer.Length)
                throw new IOException("No space left on device");
        }

        public override void SetLength(long value)
        {
            if (CannotShrink)
                throw new IOException("Input/output error");
            base.SetLength(value);
        }
    }
}
