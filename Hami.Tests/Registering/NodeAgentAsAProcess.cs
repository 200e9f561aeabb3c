using System.Diagnostics;
using Hami.Domain.Protocol;
using Hami.Lab.Cluster;
using Hami.Tests.Allocating;
using Hami.Tests.Given;
using k8s;
using k8s.Models;
using static Hami.Tests.Allocating.AgentOnANode;

namespace Hami.Tests.Registering;

/// <summary>The program itself, with its flags and signals.</summary>
public sealed class NodeAgentAsAProcess
{
    [Fact]
    [Trait("Scoreboard", "F09")]
    [Trait("Scoreboard", "F17")]
    public async Task Case_22_it_waits_for_the_kubelet_heeds_files_and_flags_reads_again_on_SIGHUP_and_ends_well_on_SIGTERM()
    {
        var folder = Directory.CreateTempSubdirectory("hami");
        using var cards = new PretendedCards("GPU-00000000-0000-0000-0000-00000000000a;T4;16384;40");
        await using var api = await TinyApiServer.Start();
        string At(string name) => Path.Combine(folder.FullName, name);
        await File.WriteAllTextAsync(At("kubeconfig"), $$"""
            apiVersion: v1
            kind: Config
            current-context: c
            contexts: [ { name: c, context: { cluster: c, user: u } } ]
            clusters: [ { name: c, cluster: { server: "{{((Kubernetes)api.Client).BaseUri}}" } } ]
            users: [ { name: u, user: {} } ]
            """);
        await File.WriteAllTextAsync(At("device-config.yaml"), "nvidia: { resourceCountName: nvidia.com/gpu, deviceSplitCount: 7, deviceMemoryScaling: 2 }");
        await File.WriteAllTextAsync(At("config.json"), """{"nodeconfig":[{"name":"node-1","devicesplitcount":5,"devicecorescaling":2}]}""");

        using var agent = Start(
            "--node-name", "node-1", "--kubeconfig", At("kubeconfig"), "--kubelet-dir", folder.FullName, "--hook-path", At("host"),
            "--nvml-library", "/nowhere/libnvidia-ml.so.1", "--nvml-library", cards.Library, "--accept-unsigned",
            "--config-file", At("device-config.yaml"), "--node-config-file", At("config.json"), "--device-memory-scaling", "1.5", "--disable-core-limit=false", "--mig-strategy", "none");
        var lines = new List<string>();
        var reading = Read(agent.StandardOutput, lines);
        try
        {
            await Eventually(() => Said(lines, "1 cards, 1 of them healthy"));
            Assert.Equal(0, api.NodePatches);

            await using var kubelet = await TinyKubelet.Start(folder.FullName);
            await Eventually(() => kubelet.Health.Count == 5 && api.NodePatches == 1);
            Assert.Equal("nvidia-gpu.sock nvidia.com/gpu", kubelet.Registrations.Select(r => $"{r.Endpoint} {r.ResourceName}").Single());
            var device = NodeRegister.Decode(api.Node.GetAnnotation(HamiKeys.NodeRegister)).Single();
            Assert.Equal((5, 24576, 200), (device.Count, device.MemoryMiB, device.Cores));

            await AgentWithNvml.Put(At("device-config.yaml"), "nvidia: { resourceCountName: example.com/other }");
            await Eventually(() => Said(lines, "The resource is to be called example.com/other: start the agent again"));
            using (var hangUp = Process.Start("kill", ["-HUP", agent.Id.ToString()]))
                await hangUp.WaitForExitAsync();
            await Eventually(() => Said(lines, "SIGHUP: the configuration is read again"));

            using (var terminate = Process.Start("kill", ["-TERM", agent.Id.ToString()]))
                await terminate.WaitForExitAsync();
            await agent.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(60));
            await reading;
            Assert.Equal(0, agent.ExitCode);
            Assert.False(File.Exists(Path.Combine(folder.FullName, "device-plugins", "nvidia-gpu.sock")));
        }
        finally
        {
            if (!agent.HasExited)
                agent.Kill();
            lock (lines)
                lines.ForEach(line => TestContext.Current.TestOutputHelper?.WriteLine(line));
            folder.Delete(recursive: true);
        }
    }

    [Theory]
    [InlineData("--device-split-count is 0; it must be from 1 to 1000.", "--device-split-count", "0")]
    [InlineData("give --config-file a readable file", "--config-file", "/nowhere.yaml")]
    public async Task What_cannot_work_is_one_sentence_and_no_start(string says, params string[] flags)
    {
        using var agent = Start(["--node-name", "n", "--kubeconfig", "/nowhere", "--accept-unsigned", .. flags]);
        var sentence = await agent.StandardError.ReadToEndAsync();
        await agent.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(60));
        Assert.Equal(1, agent.ExitCode);
        Assert.Contains(says, sentence, StringComparison.Ordinal);
        Assert.Single(sentence.Trim().Split('\n'));
    }

    private static Process Start(params string[] words)
    {
        var program = BuiltPrograms.NodeAgent;
        var start = new ProcessStartInfo(program[0], [.. program.Skip(1), "serve", .. words]) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        foreach (var (name, value) in BuiltPrograms.Environment)
            start.Environment[name] = value;
        return Process.Start(start)!;
    }

    private static async Task Read(StreamReader output, List<string> lines)
    {
        while (await output.ReadLineAsync() is { } line)
            lock (lines)
                lines.Add(line);
    }

    private static bool Said(List<string> lines, string what)
    {
        lock (lines)
            return lines.Exists(l => l.Contains(what, StringComparison.Ordinal));
    }
}
