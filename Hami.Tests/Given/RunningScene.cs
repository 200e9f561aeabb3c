namespace Hami.Tests.Given;

/// <summary>One scene for all tests of a class that change nothing in it.</summary>
public sealed class RunningScene : IAsyncLifetime
{
    internal ControlPlaneScene Scene { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Scene = await ControlPlaneScene.StartAsync(nodes: 1);

    public ValueTask DisposeAsync() => Scene.DisposeAsync();
}
