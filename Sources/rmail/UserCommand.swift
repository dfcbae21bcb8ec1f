import ArgumentParser

struct UserCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "user", abstract: "Add, list, change and remove accounts.",
        subcommands: [
            UserAdd.self, UserList.self, UserShow.self, UserPassword.self, UserSet.self, UserEnable.self,
            UserDisable.self, UserRemove.self,
        ])
}
