using Hami.Lab.Kubelet;

namespace Hami.Tests.Lab;

/// <summary>Containers as local processes.</summary>
public sealed class KubeletProcesses : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("kp").FullName;
    private readonly Launcher _launcher = new();

    public void Dispose()
    {
        _launcher.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task Both_streams_go_to_the_log_and_the_exit_code_is_the_programs()
    {
        var process = await Run("sh", "-c", "echo out; echo err >&2; exit 3");

        Assert.Equal(3, await process.Exited.WaitAsync(TimeSpan.FromSeconds(30)));
        Assert.Equal("out\nerr\n", await File.ReadAllTextAsync(Log));
    }

    [Fact]
    public async Task The_environment_is_the_plans_alone()
    {
        var process = await Run("env");

        await process.Exited.WaitAsync(TimeSpan.FromSeconds(30));
        Assert.Equal(["A=x y", "PATH=/usr/bin:/bin"], (await File.ReadAllLinesAsync(Log)).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_signal_reaches_the_children_too()
    {
        var process = await Run("sh", "-c", "sleep 100 & echo $!; wait");
        var child = int.Parse(await FirstLine());

        process.Signal(ProcessGroup.Kill);

        Assert.Equal(137, await process.Exited.WaitAsync(TimeSpan.FromSeconds(30)));
        await Eventually(() => ProcessGroup.StartTime(child) is null);
    }

    [Fact]
    public async Task Children_left_behind_end_with_the_first_process()
    {
        var process = await Run("sh", "-c", "sleep 100 & echo $!");
        await process.Exited.WaitAsync(TimeSpan.FromSeconds(30));
        var child = int.Parse(await FirstLine());

        await Eventually(() => ProcessGroup.StartTime(child) is null);
    }

    [Fact]
    public async Task A_second_command_sees_the_same_environment()
    {
        var process = await Run("sleep", "100");

        var run = await process.Exec(_launcher, ["sh", "-c", "echo $A; echo no >&2; exit 4"], TestContext.Current.CancellationToken);

        Assert.Equal(new(4, "x y\n", "no\n"), run);
        process.Signal(ProcessGroup.Kill);
    }

    [Fact]
    public async Task What_a_second_command_leaves_running_ends_with_it()
    {
        var process = await Run("sleep", "100");

        var run = await process.Exec(_launcher, ["sh", "-c", "sleep 100 & echo $!"], TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromSeconds(30));

        await Eventually(() => ProcessGroup.StartTime(int.Parse(run.Output)) is null);
        process.Signal(ProcessGroup.Kill);
    }

    [Fact]
    public async Task A_container_that_cannot_be_written_down_does_not_run()
    {
        Directory.CreateDirectory(PidFile);

        await Assert.ThrowsAnyAsync<Exception>(() => Run("sh", "-c", "echo $$; exec sleep 100"));

        await Eventually(() => !File.Exists(Log) || File.ReadAllText(Log) is "" || ProcessGroup.StartTime(int.Parse(File.ReadAllText(Log))) is null);
    }

    [Fact]
    public async Task A_command_that_does_not_exist_says_so()
    {
        var refused = await Assert.ThrowsAsync<ContainerStartException>(() => Run("no-such-program"));

        Assert.Equal("failed to start the container: exec: \"no-such-program\": executable file not found in $PATH", refused.Message);
    }

    [Fact]
    public async Task A_group_recorded_by_an_earlier_run_is_killed_only_while_it_is_the_same_one()
    {
        var process = await Run("sleep", "100");
        var fields = (await File.ReadAllTextAsync(PidFile)).Split(' ');

        Assert.False(ProcessGroup.KillStale(int.Parse(fields[0]), long.Parse(fields[1]) + 1));
        Assert.False(process.Exited.IsCompleted);
        Assert.True(ContainerProcess.KillStale(PidFile));
        Assert.Equal(137, await process.Exited.WaitAsync(TimeSpan.FromSeconds(30)));
    }

    [Fact]
    public async Task Containers_die_with_the_thread_that_started_them()
    {
        ContainerProcess process;
        using (var launcher = new Launcher())
        {
            process = await Run(launcher, "sh", "-c", "echo up; exec sleep 100");
            Assert.Equal("up", await FirstLine());
        }

        Assert.Equal(137, await process.Exited.WaitAsync(TimeSpan.FromSeconds(30)));
    }

    private string Log => Path.Combine(_folder, "log");

    private string PidFile => Path.Combine(_folder, "c.pid");

    private Task<ContainerProcess> Run(params string[] command) => Run(_launcher, command);

    private Task<ContainerProcess> Run(Launcher launcher, params string[] command)
    {
        var environment = new Dictionary<string, string>(StringComparer.Ordinal) { ["PATH"] = "/usr/bin:/bin", ["A"] = "x y" };
        return ContainerProcess.Start(launcher, new(command, environment, _folder, []), Log, PidFile);
    }

    private async Task<string> FirstLine()
    {
        await Eventually(() => File.Exists(Log) && File.ReadAllText(Log).Contains('\n'));
        return (await File.ReadAllLinesAsync(Log))[0];
    }

    private static async Task Eventually(Func<bool> holds)
    {
        for (var i = 0; i < 1200 && !holds(); i++)
            await Task.Delay(25);
        Assert.True(holds());
    }
}
